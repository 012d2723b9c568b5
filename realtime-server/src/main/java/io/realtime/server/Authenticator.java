package io.realtime.server;

import java.util.concurrent.CompletionStage;

/** Decides who a peer is. */
@FunctionalInterface
public interface Authenticator {
    /**
     * Begins to check. Called on threads that the server keeps for this, so it may block; it may also answer later, on any
     * thread.
     *
     * @return the proof; a stage that fails, or an exception thrown, refuses the peer: with its own code and message when
     *     it is a {@link io.realtime.RealtimeException}, else with {@code unauthorized} and no details
     */
    CompletionStage<Authentication> authenticate(Credentials credentials);
}
