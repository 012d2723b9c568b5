package io.realtime.client;

import io.realtime.StreamSink;

/**
 * A handler of the server's requests for a stream.
 *
 * @param <Q> the request's type
 * @param <T> the items' type
 */
@FunctionalInterface
public interface StreamHandler<Q, T> {
    /**
     * Produces the items, on a thread of its own. {@link StreamSink#send} blocks this thread until the server accepts
     * more. The thread is interrupted when the stream is cancelled. Returning completes the stream.
     *
     * @throws Exception ends the stream: a {@link io.realtime.RealtimeException} with its code and message; any other
     *     with {@code internal}, and it reaches {@link ClientListener#onError}
     */
    void handle(Q request, StreamSink<T> out) throws Exception;

    /**
     * A handler without a thread of its own, which uses {@link StreamSink#offer} and {@link StreamSink#onReady}.
     *
     * @param <Q> the request's type
     * @param <T> the items' type
     */
    @FunctionalInterface
    interface Async<Q, T> {
        /**
         * Begins the stream, on the callback executor; {@link StreamSink#end} or {@link StreamSink#fail} completes it
         * later.
         *
         * @throws Exception as for {@link StreamHandler#handle}
         */
        void handle(Q request, StreamSink<T> out) throws Exception;
    }
}
