package io.realtime.server;

import io.realtime.StreamSink;
import java.util.concurrent.Flow;

/**
 * A handler that answers a request for a stream.
 *
 * @param <Q> the request's type
 * @param <T> the items' type
 */
@FunctionalInterface
public interface StreamHandler<Q, T> {
    /**
     * Produces the items. It runs on a thread of its own, which is a virtual one from Java 21 on. {@link
     * StreamSink#send} blocks until the client accepts more. The thread is interrupted when the stream is cancelled or
     * the session is over. The stream is complete when this method returns. The session's next message does not wait
     * for it.
     *
     * @throws Exception ends the stream: with code and message of a {@link io.realtime.RealtimeException}; with {@code
     *     internal} for any other, which is logged and reported to {@link SessionListener#onError}
     */
    void handle(Session session, Q request, StreamSink<T> out) throws Exception;

    /**
     * A handler that produces the items without a thread of its own, by {@link StreamSink#offer} and {@link
     * StreamSink#onReady}.
     *
     * @param <Q> the request's type
     * @param <T> the items' type
     */
    @FunctionalInterface
    interface Async<Q, T> {
        /**
         * Begins the stream. It runs on the thread and in the order of {@link EventHandler#handle}. {@link
         * StreamSink#end} or {@link StreamSink#fail} completes the stream later.
         *
         * @throws Exception as for {@link StreamHandler#handle}
         */
        void handle(Session session, Q request, StreamSink<T> out) throws Exception;
    }

    /**
     * A factory that makes a publisher for each request.
     *
     * @param <Q> the request's type
     * @param <T> the items' type
     */
    @FunctionalInterface
    interface Source<Q, T> {
        /**
         * Returns the publisher of one stream's items. It runs on the thread and in the order of {@link
         * EventHandler#handle}. The server subscribes, and requests one item at a time. It cancels the subscription
         * when the stream is cancelled.
         *
         * @throws Exception as for {@link StreamHandler#handle}
         */
        Flow.Publisher<? extends T> open(Session session, Q request) throws Exception;
    }
}
