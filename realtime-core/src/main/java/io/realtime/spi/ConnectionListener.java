package io.realtime.spi;

import io.realtime.CloseReason;
import java.nio.ByteBuffer;

/**
 * What happens on one connection. A transport calls these one at a time, in order, on an I/O thread; an implementation
 * returns at once and never throws.
 */
public interface ConnectionListener {
    /** A complete text message, valid UTF-8, no longer than the transport's limit. */
    void onText(String text);

    /** A complete binary message, no longer than the transport's limit; the buffer belongs to the listener. */
    void onBinary(ByteBuffer payload);

    /** A ping or a pong: a sign of life, no message. */
    void onActivity();

    /**
     * Something of a message arrived that is not whole yet. A transport without parts of messages never calls it.
     *
     * @param bytes how many since the last call for this message
     */
    default void onProgress(int bytes) {}

    /** All that waited has been handed to the operating system; see {@link Connection#outboundBytes}. */
    void onDrained();

    /**
     * The connection is over; the last call, made exactly once.
     *
     * @param reason why, as decided first
     * @param byPeer true when the reason is the peer's, from its close frame; false when this side closed or aborted,
     *     could not decode what it received, met a limit, or lost the connection
     */
    void onClosed(CloseReason reason, boolean byPeer);
}
