package io.realtime.server;

import io.realtime.Message;

/**
 * Takes the messages of an event.
 *
 * @param <T> the payload's type
 */
@FunctionalInterface
public interface EventHandler<T> {
    /**
     * Handles one message. Called on the server's executor, for one session one message at a time and in order; for
     * different sessions in parallel. It may block: that delays this session only.
     *
     * @throws Exception a {@link io.realtime.RealtimeException} answers the sender with its code and message, anything
     *     else with {@code internal}; either way the message counts as processed
     */
    void handle(Session session, Message<T> message) throws Exception;
}
