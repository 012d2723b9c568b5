package io.realtime;

/**
 * Takes the items of a stream, in order, one at a time, and then at most one of its two ends. On a client everything
 * runs on the callback executor; on a server with the messages of the session.
 *
 * <p>The next items are asked for as {@link #onItem} returns: whoever is slow here slows the producer, and no more than
 * 64 items are ever on their way.
 *
 * @param <T> the items' type
 */
@FunctionalInterface
public interface StreamListener<T> {
    /** Takes one item. A listener that throws ends the stream: it is cancelled, and {@link #onError} gets what was thrown. */
    void onItem(T item);

    /** The stream is complete: nothing was lost, nothing came twice, nothing more comes. */
    default void onEnd() {}

    /**
     * The stream ended before it was complete: a {@link RemoteException} when its producer failed, {@code
     * connection_lost} when the session that it belonged to is gone, {@code closed} when this side was closed, a {@link
     * PayloadException} when an item did not fit the contract. Nothing more comes.
     */
    default void onError(Throwable failure) {}
}
