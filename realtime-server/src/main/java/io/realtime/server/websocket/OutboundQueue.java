package io.realtime.server.websocket;

import java.nio.ByteBuffer;

/**
 * The bytes that wait for one peer, in one order, bounded. The transport writes them. Any thread may call these methods;
 * each returns at once. Many receivers share a buffer, so its position never changes.
 */
public interface OutboundQueue {
    /** What happens after everything was written. */
    enum Then {
        GO_ON,
        SHUT_OUTPUT,
        FINISH
    }

    /**
     * Queues data, and has it written. Returns false, and takes nothing, if the queue is sealed or closed, or the data is
     * beyond the bound.
     */
    boolean send(ByteBuffer data);

    /**
     * Queues data as {@link #send} does. It is written at the next {@link #flush} or with what is queued next, and at
     * once if much waits.
     */
    boolean queue(ByteBuffer data);

    /** Writes what was queued and held. */
    void flush();

    /**
     * Queues a control frame, or drops it if the bound is reached: a peer that floods the server with pings then gets
     * no answers.
     */
    void control(ByteBuffer frame);

    /**
     * Queues the last bytes, whatever the bound. What is sent later is refused. Does nothing if the queue is already
     * sealed.
     */
    void seal(ByteBuffer last, Then next);

    /**
     * Ends the connection after everything is written, including the last bytes, which may not be queued yet.
     *
     * @return whether they are queued; if not, the connection goes on until then
     */
    boolean finish();

    /** Returns how many bytes wait. */
    long waiting();

    /** Returns how many bytes were written after they had to wait for the peer. */
    long taken();

    /**
     * Returns true if the transport is behind, not the peer; then the task runs once when it has caught up. Always false
     * if the sending thread itself writes to the socket.
     */
    default boolean awaitWritable(Runnable caughtUp) {
        return false;
    }
}
