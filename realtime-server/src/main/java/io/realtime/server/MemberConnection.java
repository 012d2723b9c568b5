package io.realtime.server;

import io.realtime.spi.MessageBatch;

/** Where a member's messages go while it has a connection. Called by many threads; never blocks, never throws. */
interface MemberConnection {
    /** Takes a batch; one that cannot be taken ends the connection, unless the batch may be dropped. */
    void send(MessageBatch batch);

    /** Ends the connection at once: it has missed a batch, and what comes behind must not arrive without it. */
    default void abort() {}

    /**
     * Returns whether the transport, and not the peer, is behind with what was sent, so that the room should wait; then
     * {@code proceed} is called later, by an I/O thread.
     */
    default boolean awaitWritable(Runnable proceed) {
        return false;
    }

    /**
     * Returns whether so much waits that a replay should pause; then {@code proceed} is called later, by another thread,
     * at the latest when the connection has closed. One that has closed pauses nothing.
     */
    boolean awaitDrained(Runnable proceed);
}
