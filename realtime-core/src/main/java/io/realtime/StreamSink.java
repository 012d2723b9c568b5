package io.realtime;

/**
 * The sending side of a stream, for its producer. Safe for use by many threads; items are sent in the order of the
 * calls. A lost connection is not visible here: the stream continues when the session is resumed. If the session is not
 * resumed, the stream is cancelled; see {@link #isCancelled}.
 *
 * @param <T> the items' type
 */
public interface StreamSink<T> {
    /**
     * Sends an item. Blocks until the receiver accepts more.
     *
     * @throws RealtimeException with {@code cancelled} if the stream was cancelled, with {@code closed} if it has
     * ended, or with {@code too_big} if the item is too large for a message
     * @throws PayloadException if the item cannot be written as JSON
     */
    void send(T item);

    /**
     * Sends an item if the receiver accepts one now. Returns immediately; false if the receiver does not accept one, or
     * the stream was cancelled. {@link #onReady} signals when to try again.
     *
     * @throws RealtimeException as {@link #send} does, except for {@code cancelled}
     * @throws PayloadException if the item cannot be written as JSON
     */
    boolean offer(T item);

    /** Returns whether {@link #offer} would accept an item now. */
    boolean isReady();

    /**
     * Registers a task that runs each time the receiver accepts items again after it accepted none, and when the stream
     * is cancelled. If the receiver accepts items now, the task also runs once at first. It runs on a handler's thread,
     * one run at a time. A new task replaces the previous one.
     */
    void onReady(Runnable task);

    /** Returns whether the stream was cancelled, or its session is over. */
    boolean isCancelled();

    /** Completes the stream. Does nothing if it has ended. */
    void end();

    /**
     * Ends the stream with an error. The receiver gets the code and message of a {@link RealtimeException}; for any
     * other failure it gets {@code internal}, and the log has the details. Does nothing if the stream has ended.
     */
    void fail(Throwable cause);
}
