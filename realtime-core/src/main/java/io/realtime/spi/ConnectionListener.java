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

    /** All that waited has been handed to the operating system; see {@link Connection#outboundBytes}. */
    void onDrained();

    /** The connection is over; the last call, made exactly once. */
    void onClosed(CloseReason reason);
}
