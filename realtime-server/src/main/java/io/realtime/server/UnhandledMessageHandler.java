package io.realtime.server;

/** A handler of the messages for whose name no handler is registered. */
@FunctionalInterface
public interface UnhandledMessageHandler {
    /**
     * Handles one message. Called on the thread and in the order of {@link EventHandler#handle}. A message with a
     * {@code ref} is answered with null when this returns: throw a {@link io.realtime.RealtimeException} to answer with
     * its code.
     *
     * @param message its name and its payload are whatever a client sends, checked only for being well-formed
     * @throws Exception as for {@link EventHandler#handle}
     */
    void handle(IncomingMessage message) throws Exception;
}
