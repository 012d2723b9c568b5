package io.realtime.server;

import io.realtime.Message;

/**
 * A handler of an event's messages.
 *
 * @param <T> the payload's type
 */
@FunctionalInterface
public interface EventHandler<T> {
    /**
     * Handles one message. Called on the server's executor: for one session one message at a time and in order, for
     * different sessions in parallel. It may block; that delays only this session.
     *
     * @throws Exception the client gets the code and message of a {@link io.realtime.RealtimeException}, and {@code
     *     internal} for any other. In both cases the message counts as processed
     */
    void handle(Session session, Message<T> message) throws Exception;
}
