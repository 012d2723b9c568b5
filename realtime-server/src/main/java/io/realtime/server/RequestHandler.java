package io.realtime.server;

import java.util.concurrent.CompletionStage;

/**
 * Answers a request.
 *
 * @param <Q> the question's type
 * @param <R> the reply's type
 */
@FunctionalInterface
public interface RequestHandler<Q, R> {
    /**
     * Answers one request, on the thread and in the order that {@link EventHandler#handle} tells.
     *
     * @return the reply; null only where the contract's reply is Void
     * @throws Exception as for {@link EventHandler#handle}
     */
    R handle(Session session, Q question) throws Exception;

    /**
     * Answers a request later, without holding a thread or the session's next message until then.
     *
     * @param <Q> the question's type
     * @param <R> the reply's type
     */
    @FunctionalInterface
    interface Async<Q, R> {
        /**
         * Begins to answer one request, on the thread and in the order that {@link EventHandler#handle} tells.
         *
         * @return completes with the reply, or fails as {@link RequestHandler#handle} would
         * @throws Exception as for {@link EventHandler#handle}
         */
        CompletionStage<R> handle(Session session, Q question) throws Exception;
    }
}
