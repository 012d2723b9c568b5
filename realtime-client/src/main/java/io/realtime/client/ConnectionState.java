package io.realtime.client;

import io.realtime.CloseReason;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The state of a client. Immutable.
 *
 * @param status the state
 * @param attempt the number of the attempt since the connection was last healthy: 0 for the first ever, 1 for the first
 *     after a loss
 * @param delay how long the client waits before the attempt; zero unless {@link Status#WAITING}
 * @param reason why the last connection ended, or could not be made; null if nothing ended
 */
public record ConnectionState(
        Status status,
        int attempt,
        Duration delay,
        @Nullable CloseReason reason) {
    /** The states of a client. */
    public enum Status {
        /** Never connected. */
        IDLE,
        /** An attempt is in progress: the token, the socket, the opening of the session. */
        CONNECTING,
        /** The server has welcomed the client. */
        OPEN,
        /** The connection was lost or could not be made; another attempt follows. */
        WAITING,
        /** Nothing happens until the next {@link RealtimeClient#connect}. */
        CLOSED
    }
}
