package io.realtime;

/**
 * A listener for the items of a stream. It gets them in order, one at a time, and then at most one of {@link #onEnd}
 * and {@link #onError}. On a client all methods run on the callback executor; on a server they run like handlers for
 * the session's messages.
 *
 * <p>When {@link #onItem} returns, more items are requested. So a slow listener slows the producer, and at most 64
 * items are in flight.
 *
 * @param <T> the items' type
 */
@FunctionalInterface
public interface StreamListener<T> {
    /** Handles one item. If it throws, the stream is cancelled, and {@link #onError} gets what was thrown. */
    void onItem(T item);

    /** Handles the complete end of the stream: every item arrived once. Nothing is called after it. */
    default void onEnd() {}

    /**
     * Handles a stream that ended before it was complete. The failure is a {@link RemoteException} if the producer
     * failed, {@code connection_lost} if the stream's session is lost, {@code closed} if this side was closed, or a
     * {@link PayloadException} if an item did not fit the contract. Nothing is called after it.
     */
    default void onError(Throwable failure) {}
}
