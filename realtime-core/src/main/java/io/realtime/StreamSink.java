package io.realtime;

/**
 * Where the producer of a stream puts its items. Safe for use by many threads, whose items then go in the order of the
 * calls. A lost connection is not seen here: the stream goes on when the session is resumed, and ends with {@link
 * #isCancelled} when it is not.
 *
 * @param <T> the items' type
 */
public interface StreamSink<T> {
    /**
     * Sends an item, and waits for that until the receiver takes more.
     *
     * @throws RealtimeException with {@code cancelled} when nobody wants the stream any more, with {@code closed} when it
     *     has ended already, with {@code too_big} when the item is too large for a message
     * @throws PayloadException when the item cannot be written as JSON
     */
    void send(T item);

    /**
     * Sends an item if the receiver takes one now, and returns at once; false when it does not, or nobody wants the
     * stream any more. {@link #onReady} tells when to try again.
     *
     * @throws RealtimeException as for {@link #send}, but for {@code cancelled}
     * @throws PayloadException when the item cannot be written as JSON
     */
    boolean offer(T item);

    /** Returns whether {@link #offer} would take an item now. */
    boolean isReady();

    /**
     * Has a task run whenever the receiver takes items again after it took none, and when it cancels; once at first if it
     * takes some now. Runs on a handler's thread, one run at a time; a new task replaces the one before.
     */
    void onReady(Runnable task);

    /** Returns whether nobody wants the stream any more: it was cancelled, or its session is over. */
    boolean isCancelled();

    /** Completes the stream. Does nothing when it has ended. */
    void end();

    /**
     * Ends the stream with an error: the code and message of a {@link RealtimeException}, else {@code internal}, with the
     * rest in the log. Does nothing when it has ended.
     */
    void fail(Throwable cause);
}
