package io.realtime.client;

import java.util.concurrent.CompletionStage;

/**
 * Answers a request of the server.
 *
 * @param <Q> the question's type
 * @param <R> the reply's type
 */
@FunctionalInterface
public interface RequestHandler<Q, R> {
    /**
     * Answers one request, on the callback executor, in order with everything else there.
     *
     * @return the reply; null only where the contract's reply is Void
     * @throws Exception a {@link io.realtime.RealtimeException} answers with its code and message; any other answers {@code
     *     internal} and reaches {@link ClientListener#onError}
     */
    R handle(Q question) throws Exception;

    /**
     * Answers a request later, without holding the callback executor until then: with what a user clicks, say.
     *
     * @param <Q> the question's type
     * @param <R> the reply's type
     */
    @FunctionalInterface
    interface Async<Q, R> {
        /**
         * Begins to answer one request, on the callback executor.
         *
         * @return completes with the reply, or fails as {@link RequestHandler#handle} would
         * @throws Exception as for {@link RequestHandler#handle}
         */
        CompletionStage<R> handle(Q question) throws Exception;
    }
}
