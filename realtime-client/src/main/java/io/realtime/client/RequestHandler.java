package io.realtime.client;

import java.util.concurrent.CompletionStage;

/**
 * A handler of the server's requests.
 *
 * @param <Q> the request's type
 * @param <R> the reply's type
 */
@FunctionalInterface
public interface RequestHandler<Q, R> {
    /**
     * Answers one request, on the callback executor, in order with all other callbacks.
     *
     * @return the reply; null only if the contract's reply is Void
     * @throws Exception a {@link io.realtime.RealtimeException} is the answer, with its code and message; any other is
     *     answered with {@code internal} and reaches {@link ClientListener#onError}
     */
    R handle(Q request) throws Exception;

    /**
     * A handler that answers later, for example when a user clicks, without blocking the callback executor until then.
     *
     * @param <Q> the request's type
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
        CompletionStage<R> handle(Q request) throws Exception;
    }
}
