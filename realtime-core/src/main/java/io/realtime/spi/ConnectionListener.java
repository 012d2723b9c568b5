package io.realtime.spi;

import io.realtime.CloseReason;
import java.nio.ByteBuffer;

/**
 * A listener for one connection. A transport calls its methods one at a time, in order, on an I/O thread. An
 * implementation returns immediately and never throws.
 */
public interface ConnectionListener {
    /** Handles a complete text message: valid UTF-8, no longer than the transport's limit. */
    void onText(String text);

    /** Handles a complete binary message, no longer than the transport's limit; the buffer belongs to the listener. */
    void onBinary(ByteBuffer payload);

    /** Handles a ping or a pong: a sign of life without a message. */
    void onActivity();

    /**
     * Handles the arrival of a part of an unfinished message. A transport that does not see parts never calls it.
     *
     * @param bytes the number of bytes since the last call for this message
     */
    default void onProgress(int bytes) {}

    /**
     * Handles the end of a backlog: all outbound data is handed to the operating system; see {@link
     * Connection#outboundBytes}.
     */
    void onDrained();

    /**
     * Handles the end of the connection. This is the last call, made exactly once.
     *
     * @param reason the first reason that was determined
     * @param byPeer true if the reason comes from the peer's close frame; false if this side closed or aborted, could
     * not decode what it received, enforced a limit, or lost the connection
     */
    void onClosed(CloseReason reason, boolean byPeer);
}
