package io.realtime.spi;

import io.realtime.CloseReason;

/**
 * An open WebSocket connection, independent of the library that carries it. Every method is safe for use by many
 * threads, returns immediately, and never throws because of what the peer or the network does.
 */
public interface Connection {
    /**
     * Sends a batch after everything that was sent before. The batch is sent whole and in order, or the connection
     * ends.
     *
     * @return false if the connection is closing or closed, or if the batch would exceed the outbound bound; then no
     * part of it was accepted
     */
    boolean send(MessageBatch batch);

    /**
     * Sends a batch as {@link #send} does, but may defer the write. Then the caller must call {@link #flush}, unless
     * something is sent or the connection is closed before. A transport defers a few KB; more is written immediately.
     */
    default boolean queue(MessageBatch batch) {
        return send(batch);
    }

    /** Writes what was {@linkplain #queue queued}; does nothing if nothing is queued, or the connection is over. */
    default void flush() {}

    /**
     * Returns how many outbound bytes wait for the peer. After a batch was refused, or this value exceeded half of the
     * bound, {@link ConnectionListener#onDrained} signals when nothing waits any more.
     */
    long outboundBytes();

    /**
     * Returns how many of the bytes that had to wait for the peer it has accepted since the connection opened. This is
     * a sign of life: over a slow link a ping waits after other data, so its pong comes late. The value does not grow
     * if the peer is gone.
     */
    default long taken() {
        return 0;
    }

    /**
     * Returns true if much data waits because the transport has not yet written it, not because the peer does not read.
     * Then wait until {@code caughtUp} runs before sending more. A peer cannot delay a sender this way. Always false
     * for a transport where the sending thread itself writes to the socket.
     *
     * @param caughtUp runs once if true is returned, when the transport has written all that the peer accepts, or the
     * connection is over. It runs on an I/O thread, or on a sending thread if the transport has stopped. It must return
     * immediately and never throw
     */
    default boolean awaitWritable(Runnable caughtUp) {
        return false;
    }

    /**
     * Sets the longest inbound message in bytes, from the next frame on; a longer one closes the connection with 1009.
     * Default: the limit with which the transport was started. A server lowers it in {@link
     * ServerTransport.Acceptor#open} and raises it when the peer is authenticated, so that unfinished messages of
     * unknown peers use little memory. Connections of clients may ignore it.
     */
    default void limitMessages(int bytes) {}

    /** Sends a ping control frame; its pong is reported to {@link ConnectionListener#onActivity}. */
    void ping();

    /**
     * Begins the closing handshake after everything that was sent before; later sends are refused. A peer that does not
     * answer within a few seconds is disconnected. Does nothing if the connection is already closing.
     */
    void close(CloseReason reason);

    /** Closes the connection immediately, without a closing handshake; data that still waits is lost. */
    void abort();

    /** Returns the peer's address for logs, as {@code host:port}. */
    String remoteAddress();
}
