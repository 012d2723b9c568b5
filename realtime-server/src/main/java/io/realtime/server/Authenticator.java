package io.realtime.server;

import java.util.concurrent.CompletionStage;

/** The authentication of peers, by the application. */
@FunctionalInterface
public interface Authenticator {
    /**
     * Authenticates a peer. Called on threads that the server keeps for this, so it may block. It may also complete the
     * stage later, on any thread.
     *
     * @return completes with the peer's identity. A stage that fails, or an exception that is thrown, refuses the peer:
     *     with the code and message of a {@link io.realtime.RealtimeException}, else with {@code unauthorized} and no
     *     details
     */
    CompletionStage<Authentication> authenticate(Credentials credentials);
}
