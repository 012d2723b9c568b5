package io.realtime.server;

import io.realtime.StreamSink;
import java.util.concurrent.Flow;

/**
 * Answers a request for a stream.
 *
 * @param <Q> the question's type
 * @param <T> the items' type
 */
@FunctionalInterface
public interface StreamHandler<Q, T> {
    /**
     * Produces the items, on a thread of its own (a virtual one from Java 21 on), which waits in {@link StreamSink#send}
     * for the client to take more, and is interrupted when the stream is cancelled or the session over. Returning
     * completes the stream. The session's next message does not wait for it.
     *
     * @throws Exception ends the stream: with code and message of a {@link io.realtime.RealtimeException}; with {@code
     *     internal} for any other, which is in the log and reaches {@link SessionListener#onError}
     */
    void handle(Session session, Q question, StreamSink<T> out) throws Exception;

    /**
     * Produces the items without a thread of its own, by {@link StreamSink#offer} and {@link StreamSink#onReady}.
     *
     * @param <Q> the question's type
     * @param <T> the items' type
     */
    @FunctionalInterface
    interface Async<Q, T> {
        /**
         * Begins, on the thread and in the order that {@link EventHandler#handle} tells; {@link StreamSink#end} or {@link
         * StreamSink#fail} completes the stream later.
         *
         * @throws Exception as for {@link StreamHandler#handle}
         */
        void handle(Session session, Q question, StreamSink<T> out) throws Exception;
    }

    /**
     * Makes a publisher for each request.
     *
     * @param <Q> the question's type
     * @param <T> the items' type
     */
    @FunctionalInterface
    interface Source<Q, T> {
        /**
         * Returns what is subscribed to, on the thread and in the order that {@link EventHandler#handle} tells. One item at
         * a time is requested of it, and the subscription is cancelled with the stream.
         *
         * @throws Exception as for {@link StreamHandler#handle}
         */
        Flow.Publisher<? extends T> open(Session session, Q question) throws Exception;
    }
}
