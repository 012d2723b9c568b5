package io.realtime.server.internal.room;

import io.realtime.spi.MessageBatch;

/**
 * The destination of a member's messages while it has a connection. Called by many threads. Its methods never block and
 * never throw.
 */
public interface MemberConnection {
    /** Accepts a batch. If it cannot, it ends the connection, unless the batch may be dropped. */
    void send(MessageBatch batch);

    /** Returns the length of the longest message that the client accepts. */
    default int messageBytes() {
        return Integer.MAX_VALUE;
    }

    /** Ends the connection at once. It has missed a batch, and later ones must not arrive without it. */
    default void abort() {}

    /**
     * Returns whether the transport itself, not the peer, has not yet written what was sent, so that the room should
     * wait. If true, {@code proceed} is called later, by an I/O thread. If false, it is not called.
     */
    default boolean awaitWritable(Runnable proceed) {
        return false;
    }

    /**
     * Returns whether so much waits that a replay should pause. If true, {@code proceed} is called later, by another
     * thread, at the latest when the connection has closed. A closed connection returns false.
     */
    boolean awaitDrained(Runnable proceed);
}
