package io.realtime.server;

import io.realtime.Position;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Code of the application around what a server does, for tracing, validation, audit or translation. {@link
 * RealtimeServer.Builder#intercept} adds interceptors. The first one added is the outermost. Each method calls {@code
 * next} to continue, may change what it passes on, and may throw a {@link io.realtime.RealtimeException} to refuse with
 * its code. Each default only calls {@code next}. Any other exception is a failure of the application: it is treated as
 * if the authenticator, rule, handler or caller had thrown it.
 *
 * <p>No method is called on an I/O thread or under a lock of the server. Methods are called by many threads at once. A
 * delivery has no interceptor: a message is encoded once for all receivers, so nothing can be changed for one of them.
 */
public interface Interceptor {
    /**
     * Called around {@link Authenticator#authenticate}: once for each new connection, and for each token that a client
     * refreshes. It may refuse before or after the authenticator decides, and may change its answer. A user that it
     * changes must be changed in the same way when the token is refreshed.
     *
     * <p>Called on the threads for authentication, and may block. What follows the stage of {@code next} runs on the
     * thread that completes that stage.
     */
    default CompletionStage<Authentication> authenticate(Credentials credentials, Authenticator next) {
        return next.authenticate(credentials);
    }

    /**
     * Called around the join rule, when and where {@link JoinRule.Async#allows} is called, and within {@link
     * Limits#ruleTimeout}. Without a rule, {@code next} refuses. A {@link io.realtime.RealtimeException}, thrown or in
     * the stage, refuses the room with its code and message.
     *
     * @return completes with whether the session may be in the room
     */
    default CompletionStage<Boolean> join(Session session, String room, JoinRule.Async next) {
        return next.allows(session, room);
    }

    /**
     * Called around the handling of one message of a client: an event, a request, or a request for a stream. The send
     * rule has allowed it. The payload is not read yet: it is read by {@code next}, or by {@link IncomingMessage#data}.
     *
     * <p>Called on the handler's thread, in the order of the session's messages. It may block, which delays only this
     * session. It must call {@code next} once, on this thread, or throw; otherwise the message fails with {@code
     * internal}. It may replace what {@code next} throws by another exception. If it catches that and returns, the
     * client is still answered with it. What it throws after {@code next} has returned is reported like a failure of a
     * handler, and does not reach the client: its message is handled. To decide later without holding a thread, use {@link RealtimeServer.Builder#allowSendAsync}.
     *
     * @return the stage of {@code next}. Outer interceptors see the stage that is returned; the client's answer does
     *     not depend on it
     * @throws Exception as for {@link EventHandler#handle}
     */
    default CompletionStage<?> handle(IncomingMessage message, Handling next) throws Exception {
        return next.handle(message);
    }

    /**
     * Called around each publish to a room, a user, a session or everyone, before the payload is encoded. Requests to
     * clients and answers do not pass here. An exception is thrown by {@code send}, and nobody gets the message.
     *
     * <p>Called on the thread that sends. It must not block, and must call {@code next} once before it returns:
     * otherwise the messages of one sender could change their order. To refuse, it throws, or returns a failed future,
     * without a call of {@code next}. After {@code next} has returned, the message is published: what is thrown then is
     * logged.
     *
     * @return the future of {@code next}, which {@code send} returns
     */
    default CompletableFuture<@Nullable Position> publish(OutgoingMessage message, Publishing next) {
        return next.publish(message);
    }

    /** The rest of the handling of a message: inner interceptors, then the handler. */
    @FunctionalInterface
    interface Handling {
        /**
         * Handles the message.
         *
         * @param message the one that the interceptor got, or one made from it
         * @return completes when the message is answered: at once for an event, for a handler that answers when it
         *     returns, and when a stream has begun; later for {@link RequestHandler.Async}. It fails when the late
         *     answer does
         * @throws IllegalStateException when it was called before for this message, or is called on another thread
         * @throws Exception what the handler throws; or {@code bad_data} when the payload does not fit
         */
        CompletionStage<?> handle(IncomingMessage message) throws Exception;
    }

    /** The rest of a publish: inner interceptors, then the room. */
    @FunctionalInterface
    interface Publishing {
        /**
         * Publishes the message.
         *
         * @param message the one that the interceptor got, or one made from it
         * @return as for {@link Room#send}, and throws as it does
         */
        CompletableFuture<@Nullable Position> publish(OutgoingMessage message);
    }
}
