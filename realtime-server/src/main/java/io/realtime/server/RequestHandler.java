package io.realtime.server;

import java.util.concurrent.CompletionStage;

/**
 * A handler that answers a request.
 *
 * @param <Q> the request's type
 * @param <R> the reply's type
 */
@FunctionalInterface
public interface RequestHandler<Q, R> {
    /**
     * Answers one request. It runs on the thread and in the order of {@link EventHandler#handle}.
     *
     * @return the reply; null only when the contract's reply type is Void
     * @throws Exception as for {@link EventHandler#handle}
     */
    R handle(Session session, Q request) throws Exception;

    /**
     * A handler that answers a request later. Until then it holds neither a thread nor the session's next message.
     *
     * @param <Q> the request's type
     * @param <R> the reply's type
     */
    @FunctionalInterface
    interface Async<Q, R> {
        /**
         * Begins to answer one request. It runs on the thread and in the order of {@link EventHandler#handle}.
         *
         * @return completes with the reply, or fails as {@link RequestHandler#handle} would
         * @throws Exception as for {@link EventHandler#handle}
         */
        CompletionStage<R> handle(Session session, Q request) throws Exception;
    }
}
