package io.realtime.examples;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import io.realtime.examples.Chat.Said;
import io.realtime.examples.Chat.SomebodyTyping;
import io.realtime.examples.Chat.WhoAmI;
import io.realtime.server.JwtAuthenticator;
import io.realtime.server.RealtimeServer;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** The server behind the demos: one handler of each kind, rooms that begin with {@code chat:}, tokens for anyone. */
final class DemoServer {
    private static final Duration TOKEN_LIFE = Duration.ofHours(12);

    private final String secret;

    private DemoServer(String secret) {
        this.secret = secret;
    }

    /** With this secret, or a random one. */
    static DemoServer withSecret(@Nullable String given) {
        if (given != null) {
            return new DemoServer(given);
        }
        byte[] random = new byte[32];
        new SecureRandom().nextBytes(random);
        return new DemoServer(Base64.getUrlEncoder().withoutPadding().encodeToString(random));
    }

    String secret() {
        return secret;
    }

    /** A token that proves to be this user, for twelve hours. */
    String token(String user) {
        return JWT.create()
                .withSubject(user)
                .withExpiresAt(Instant.now().plus(TOKEN_LIFE))
                .sign(Algorithm.HMAC256(secret));
    }

    /**
     * The server, ready to start.
     *
     * @throws IllegalArgumentException when the secret is too short
     */
    RealtimeServer.Builder builder() {
        return RealtimeServer.builder()
                .authenticator(JwtAuthenticator.hmac256(secret))
                .allowJoin((session, room) -> room.startsWith("chat:"))
                .on(
                        Chat.SAY,
                        (session, message) -> session.room(message.room())
                                .send(
                                        Chat.SAID,
                                        new Said(
                                                session.user().id(),
                                                message.data().text())))
                .on(
                        Chat.TYPING,
                        (session, message) -> session.room(message.room())
                                .except(session)
                                .send(
                                        Chat.SOMEBODY_TYPING,
                                        new SomebodyTyping(
                                                session.user().id(),
                                                message.data().on())))
                .on(
                        Chat.DIRECT,
                        (session, message) -> session.inboxOf(message.data().to())
                                .send(
                                        Chat.SAID,
                                        new Said(
                                                session.user().id(),
                                                message.data().text())))
                .on(
                        Chat.SHOUT,
                        (session, message) -> session.everyone()
                                .send(
                                        Chat.SAID,
                                        new Said(
                                                session.user().id(),
                                                message.data().text())))
                .on(Chat.FAIL, (session, message) -> {
                    throw new IllegalStateException("this handler always fails");
                })
                .onRequest(Chat.ECHO, (session, data) -> data)
                .onRequest(
                        Chat.WHO_AM_I,
                        (session, nothing) -> new WhoAmI(session.user().id(), session.attributes()))
                .onRequestAsync(
                        Chat.SLOW,
                        (session, slow) -> CompletableFuture.supplyAsync(
                                () -> slow, CompletableFuture.delayedExecutor(slow.ms(), TimeUnit.MILLISECONDS)));
    }
}
