package io.realtime.client;

import io.realtime.StreamSink;

/**
 * Answers a server's request for a stream.
 *
 * @param <Q> the question's type
 * @param <T> the items' type
 */
@FunctionalInterface
public interface StreamHandler<Q, T> {
    /**
     * Produces the items, on a thread of its own, which waits in {@link StreamSink#send} for the server to take more, and
     * is interrupted when the stream is cancelled. Returning completes the stream.
     *
     * @throws Exception ends the stream: with code and message of a {@link io.realtime.RealtimeException}; with {@code
     *     internal} for any other, which reaches {@link ClientListener#onError}
     */
    void handle(Q question, StreamSink<T> out) throws Exception;

    /**
     * Produces the items without a thread of its own, by {@link StreamSink#offer} and {@link StreamSink#onReady}.
     *
     * @param <Q> the question's type
     * @param <T> the items' type
     */
    @FunctionalInterface
    interface Async<Q, T> {
        /**
         * Begins, on the callback executor; {@link StreamSink#end} or {@link StreamSink#fail} completes the stream later.
         *
         * @throws Exception as for {@link StreamHandler#handle}
         */
        void handle(Q question, StreamSink<T> out) throws Exception;
    }
}
