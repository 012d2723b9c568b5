package io.realtime.spi;

import io.realtime.CloseReason;

/**
 * One open WebSocket connection, whichever library carries it. Every method is safe for use by many threads, returns
 * immediately and never throws for what the peer or the network does.
 */
public interface Connection {
    /**
     * Puts a batch behind all that was sent before; it leaves whole and in order, or the connection ends.
     *
     * @return false when the connection is closing or closed, or when the batch would exceed the outbound bound; then
     *     nothing of it was taken
     */
    boolean send(MessageBatch batch);

    /**
     * Sends as {@link #send}, but may leave the write to {@link #flush}, which the caller owes then, or to whatever is
     * sent or closed before it. A transport holds a few KB like this; more is written at once.
     */
    default boolean queue(MessageBatch batch) {
        return send(batch);
    }

    /** Writes what was {@linkplain #queue queued}; does nothing when nothing is, or when the connection is over. */
    default void flush() {}

    /**
     * Returns how many outbound bytes wait for the peer. Once a batch was refused, or this exceeded half of the bound,
     * {@link ConnectionListener#onDrained} tells when nothing waits any more.
     */
    long outboundBytes();

    /**
     * Returns how many bytes the peer has taken of what had to wait for it, since the connection opened. A sign of life:
     * pings wait behind what waits, and so their pongs come late over a slow link. Does not grow for a peer that is gone.
     */
    default long taken() {
        return 0;
    }

    /**
     * Returns whether much waits because the transport has not come to writing it yet, and not because the peer does not
     * read: then whoever has more to send does well to wait. A peer keeps nobody waiting by this. Never true where those
     * who send write to the socket themselves.
     *
     * @param caughtUp run once when true is returned, by an I/O thread, as soon as the transport has written what the
     *     peer takes, or the connection is over; by whoever sends when the transport has stopped. Returns at once and
     *     never throws
     */
    default boolean awaitWritable(Runnable caughtUp) {
        return false;
    }

    /**
     * Sets the longest inbound message in bytes, from its next frame on; beyond it the connection closes with 1009. Default
     * what the transport was started with. A server lowers it in {@link ServerTransport.Acceptor#open} and raises it once
     * it knows the peer, so that a stranger's unfinished message takes little. Connections of clients may ignore it.
     */
    default void limitMessages(int bytes) {}

    /** Sends a ping control frame; its pong arrives as {@link ConnectionListener#onActivity}. */
    void ping();

    /**
     * Begins the closing handshake behind all that was sent before; later sends are refused. A peer that does not
     * answer within a few seconds is cut off. Does nothing when the connection is closing already.
     */
    void close(CloseReason reason);

    /** Cuts the connection off at once, without a closing handshake; what still waits is lost. */
    void abort();

    /** Returns the peer's address for logs, {@code host:port}. */
    String remoteAddress();
}
