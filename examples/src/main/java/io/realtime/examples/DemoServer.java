package io.realtime.examples;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.exceptions.JWTVerificationException;
import io.realtime.examples.Chat.Said;
import io.realtime.examples.Chat.SomebodyTyping;
import io.realtime.examples.Chat.WhoAmI;
import io.realtime.server.JwtAuthenticator;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** The server of the demos. It issues tokens to anyone. */
final class DemoServer {
    /** Only this computer can connect: everyone who can open the chat's page gets a token. */
    static final String HOST = "127.0.0.1";

    static final String PATH = "/ws";
    private static final List<String> TRANSPORTS = List.of("java-websocket", "netty");
    private static final Duration TOKEN_LIFE = Duration.ofHours(12);
    private static final int MIN_SECRET_BYTES = 32;

    private final String secret;

    private DemoServer(String secret) {
        this.secret = secret;
    }

    /**
     * Returns a server with this secret; null for a random one.
     *
     * @throws UsageException if the secret is shorter than HS256 allows (RFC 7518 section 3.2); the message
     *     contains its length, but never the secret
     */
    static DemoServer withSecret(@Nullable String given) {
        if (given == null) {
            byte[] random = new byte[MIN_SECRET_BYTES];
            new SecureRandom().nextBytes(random);
            return new DemoServer(Base64.getUrlEncoder().withoutPadding().encodeToString(random));
        }
        int bytes = given.getBytes(StandardCharsets.UTF_8).length;
        if (bytes < MIN_SECRET_BYTES) {
            throw new UsageException("--secret has " + bytes + (bytes == 1 ? " byte" : " bytes")
                    + "; HS256 needs at least " + MIN_SECRET_BYTES);
        }
        return new DemoServer(given);
    }

    String secret() {
        return secret;
    }

    /** Returns a token that proves to be this user, for twelve hours. */
    String token(String user) {
        return JWT.create()
                .withSubject(user)
                .withExpiresAt(Instant.now().plus(TOKEN_LIFE))
                .sign(Algorithm.HMAC256(secret));
    }

    /** Returns the user of a token, or null if this server would refuse it. */
    @Nullable
    String userOf(String token) {
        try {
            return JWT.require(Algorithm.HMAC256(secret)).build().verify(token).getSubject();
        } catch (JWTVerificationException invalid) {
            return null;
        }
    }

    /** Adds an option for {@link #start}. */
    static Options.Spec transportOption(Options.Spec spec) {
        return spec.option(
                "--transport", "NAME", String.join(" or ", TRANSPORTS) + " (default: what the library chooses)");
    }

    /**
     * Starts the server; with port 0 the system chooses one.
     *
     * @param handlers adds the demo's handlers, for example {@link #chat}
     * @param options options that contain the one of {@link #transportOption}
     * @throws io.realtime.RealtimeException if the port is taken; the message names it
     */
    RealtimeServer start(int port, Limits limits, Options options, UnaryOperator<RealtimeServer.Builder> handlers) {
        RealtimeServer.Builder builder = handlers.apply(RealtimeServer.builder())
                .authenticator(JwtAuthenticator.hmac256(secret))
                .host(HOST)
                .port(port)
                .path(PATH)
                .limits(limits);
        String transport = options.choice("--transport", TRANSPORTS);
        return (transport == null ? builder : builder.transport(transport))
                .build()
                .start();
    }

    /** Returns the URL that clients of a server connect to. */
    static String url(RealtimeServer server) {
        return "ws://" + HOST + ":" + server.port() + PATH;
    }

    /** Adds a handler of each kind, and allows rooms whose name begins with {@code chat:}. */
    static RealtimeServer.Builder chat(RealtimeServer.Builder builder) {
        return builder.allowJoin((session, room) -> room.startsWith("chat:"))
                .on(
                        Chat.SAY,
                        (session, message) -> session.room(message.requireRoom())
                                .send(
                                        Chat.SAID,
                                        new Said(
                                                session.user().id(),
                                                message.data().text())))
                .on(
                        Chat.TYPING,
                        (session, message) -> session.room(message.requireRoom())
                                .except(session.id())
                                .send(
                                        Chat.SOMEBODY_TYPING,
                                        new SomebodyTyping(
                                                session.user().id(),
                                                message.data().on())))
                .on(
                        Chat.DIRECT,
                        (session, message) -> session.connections()
                                .user(message.data().to())
                                .inbox()
                                .from(session)
                                .send(
                                        Chat.SAID,
                                        new Said(
                                                session.user().id(),
                                                message.data().text())))
                .on(
                        Chat.SHOUT,
                        (session, message) -> session.connections()
                                .everyone()
                                .from(session)
                                .send(
                                        Chat.SAID,
                                        new Said(
                                                session.user().id(),
                                                message.data().text())))
                .on(
                        Chat.BLOB,
                        (session, message) ->
                                session.room(message.requireRoom()).send(Chat.BLOB, message.data()))
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
                                () -> slow, CompletableFuture.delayedExecutor(slow.ms(), TimeUnit.MILLISECONDS)))
                // The reply to this request arrives after the message that is being handled, so a handler must not wait
                // for it.
                .onRequestAsync(Chat.ASK, (session, question) -> session.request(Chat.CONFIRM, question))
                .onStream(Chat.COUNT, (session, count, out) -> {
                    for (int i = 0; i < count.n(); i++) {
                        Thread.sleep(count.delayMs());
                        out.send(i);
                    }
                });
    }
}
