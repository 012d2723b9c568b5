package io.realtime.client;

import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import org.jspecify.annotations.Nullable;

/**
 * A message that the client gave up. Immutable. Only the client makes them; an application may implement this in a test
 * of its own listener.
 */
public interface DroppedMessage {
    /** Returns the name of its event. */
    String name();

    /** Returns the room that it was for, or null if it was for no room. */
    @Nullable
    String room();

    /**
     * Returns the payload, decoded again from what would have been sent; null only for an {@code Event<Void>}.
     *
     * @throws IllegalArgumentException when the message is of an event with another name
     * @throws PayloadException when the payload does not fit the event's type: the message was stored by an earlier
     *     version of the application, its type can be written but not read, or the file was damaged
     */
    <T> T data(Event<T> event);

    /**
     * Returns why it was dropped. The code is {@code overloaded} when the outbox overflowed, {@code too_big}, {@code
     * storage} when it could not be written to its file or was damaged there, {@code connection_lost} for an ephemeral
     * message while offline or a message that became too old, {@code closed}, or {@code user_changed} when the server
     * named another user than before (it may have been processed for the former user). For a message of an earlier
     * process it may also be the server's answer.
     */
    RealtimeException cause();
}
