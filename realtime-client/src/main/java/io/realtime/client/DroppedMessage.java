package io.realtime.client;

import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import org.jspecify.annotations.Nullable;

/** A message that the client gave up. Immutable. */
public final class DroppedMessage {
    private final Outbox.Entry entry;
    private final RealtimeException cause;

    DroppedMessage(Outbox.Entry entry, RealtimeException cause) {
        this.entry = entry;
        this.cause = cause;
    }

    /** Returns the name of its event. */
    public String name() {
        return entry.name;
    }

    /** Returns the room it was for, or null. */
    public @Nullable String room() {
        return entry.room;
    }

    /**
     * Returns the payload, read anew from what would have been sent; null only for an {@code Event<Void>}.
     *
     * @throws IllegalArgumentException when the message is of an event with another name
     * @throws PayloadException when the payload does not fit the event's type: the message was stored by an earlier
     *     version of the application, or its type can be written but not read
     */
    public <T> T data(Event<T> event) {
        if (!event.name().equals(entry.name)) {
            throw new IllegalArgumentException("the message is a '" + entry.name + "', not a '" + event.name() + "'");
        }
        return entry.data(event.type());
    }

    /**
     * Returns why: {@code overloaded} when the outbox overflowed, {@code too_big}, {@code storage} when it could not be
     * written to its file, {@code connection_lost} for an ephemeral message while offline or a message that became too
     * old, {@code closed}, {@code user_changed} when the server named another user than before (it may have been processed
     * for the former); and whatever the server answered to a message of an earlier process.
     */
    public RealtimeException cause() {
        return cause;
    }

    /** Names the event and the cause only: the payload is the application's. */
    @Override
    public String toString() {
        return "DroppedMessage{name=" + name() + ", room=" + room() + ", cause=" + cause + "}";
    }
}
