package io.realtime.server.internal.connection;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.LogLimit;
import io.realtime.internal.Steps;
import io.realtime.internal.Texts;
import io.realtime.server.Authentication;
import io.realtime.server.Authenticator;
import io.realtime.server.Credentials;
import io.realtime.server.RealtimeServer;
import io.realtime.server.internal.execution.Pool;
import io.realtime.server.internal.execution.Workers;
import io.realtime.server.internal.limits.Network;
import io.realtime.spi.Handshake;
import io.realtime.spi.Scheduler;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Locale;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The calls of the application's authenticator, and the log of what it refuses. Safe for use by many threads. */
final class Authentications {
    private static final Logger LOG = LoggerFactory.getLogger(RealtimeServer.class);
    private static final String BEARER = "bearer ";

    private final Authenticator authenticator;
    private final Workers workers;
    private final Scheduler scheduler;
    private final LogLimit refusedPeers = new LogLimit(10, Duration.ofMinutes(1));

    Authentications(Authenticator authenticator, Workers workers, Scheduler scheduler) {
        this.authenticator = authenticator;
        this.workers = workers;
        this.scheduler = scheduler;
    }

    /** Returns the token in a plain client's upgrade request, or null. */
    static @Nullable String tokenOf(Handshake handshake) {
        String header = handshake.header("Authorization");
        if (header != null && header.toLowerCase(Locale.ROOT).startsWith(BEARER)) {
            return header.substring(BEARER.length()).trim();
        }
        for (String parameter : handshake.query().split("&", -1)) {
            if (parameter.startsWith("token=")) {
                try {
                    return URLDecoder.decode(parameter.substring("token=".length()), StandardCharsets.UTF_8);
                } catch (IllegalArgumentException malformed) {
                    // No token that could be checked.
                    return null;
                }
            }
        }
        return null;
    }

    /**
     * Authenticates a peer on one of the threads for authentication. Answers on the server's own threads, with an
     * authentication or with a refusal whose text the peer is sent. The thread counts for the peer's address until the
     * authenticator has returned, so that one host cannot take all of them.
     *
     * @param isGone whether nobody waits for the answer any more; then the authenticator is not called
     * @return cancels the check while it waits for a thread
     */
    Pool.Ticket authenticate(
            Credentials credentials,
            BooleanSupplier isGone,
            BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer) {
        String address = Network.of(credentials.handshake().remote());
        return workers.authentication().execute(address, () -> {
            if (isGone.getAsBoolean()) {
                return;
            }
            try {
                Steps.whenComplete(
                        authenticator.authenticate(credentials),
                        (proof, failure) -> workers.execute(
                                () -> answer.accept(proof, failure == null ? null : refusal(failure, credentials))));
            } catch (Throwable failure) {
                // The application's authenticator may throw anything. Whatever it throws refuses the peer.
                answer.accept(null, refusal(failure, credentials));
            }
        });
    }

    /** Returns the refusal that the peer is sent. A failure to log does not prevent it. */
    private RealtimeException refusal(Throwable failure, Credentials credentials) {
        if (failure instanceof RealtimeException known) {
            Steps.run(() -> logRefusal(known, credentials));
            return known;
        }
        String token = credentials.token();
        String trace = Steps.trace(failure);
        if (token != null && !token.isEmpty() && trace.contains(token)) {
            // Libraries quote what they refuse.
            LOG.warn("an authenticator failed: {}", trace.replace(token, "***"));
        } else {
            Steps.warn(LOG, "an authenticator failed", failure);
        }
        return new RealtimeException(ErrorCode.UNAUTHORIZED, "authentication failed");
    }

    /** Logs why a peer was refused, without its token. The peer is told less. */
    private void logRefusal(RealtimeException refusal, Credentials credentials) {
        int suppressed = refusedPeers.tryAcquire(scheduler.nanoTime());
        if (suppressed < 0) {
            return;
        }
        Throwable cause = refusal.getCause();
        String why = Steps.message(refusal) + (cause == null ? "" : ": " + Steps.message(cause));
        String token = credentials.token();
        String safe = token == null || token.isEmpty() ? why : why.replace(token, "***");
        LOG.warn(
                "refused a peer from {}: {}{}",
                credentials.handshake().remote(),
                // The peer must not add a line of its own to the log.
                Texts.line(safe),
                suppressed == 0 ? "" : " (and " + suppressed + " others since the last such line)");
    }
}
