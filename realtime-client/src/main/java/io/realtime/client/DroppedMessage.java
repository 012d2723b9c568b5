package io.realtime.client;

import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Payloads;
import org.jspecify.annotations.Nullable;

/** A message that the client gave up. Immutable. */
public final class DroppedMessage {
    private final String name;
    private final @Nullable String room;
    private final Outbox.@Nullable OutboxEntry entry;
    private final Payloads payloads;
    private final RealtimeException cause;

    /** @param entry null when the payload could not be read from its file */
    DroppedMessage(
            String name,
            @Nullable String room,
            Outbox.@Nullable OutboxEntry entry,
            Payloads payloads,
            RealtimeException cause) {
        this.name = name;
        this.room = room;
        this.entry = entry;
        this.payloads = payloads;
        this.cause = cause;
    }

    /** Returns the cost of keeping this, in bytes. */
    long cost() {
        return Untold.FAILURE_BYTES + (entry == null ? 0 : entry.wireLength());
    }

    /** Returns the name of its event. */
    public String name() {
        return name;
    }

    /** Returns the room that it was for, or null if it was for no room. */
    public @Nullable String room() {
        return room;
    }

    /**
     * Returns the payload, decoded again from what would have been sent; null only for an {@code Event<Void>}.
     *
     * @throws IllegalArgumentException when the message is of an event with another name
     * @throws PayloadException when the payload does not fit the event's type: the message was stored by an earlier
     *     version of the application, its type can be written but not read, or the file was damaged
     */
    public <T> T data(Event<T> event) {
        if (!event.name().equals(name)) {
            throw new IllegalArgumentException("the message is a '" + name + "', not a '" + event.name() + "'");
        }
        if (entry == null) {
            throw new PayloadException("the payload was damaged in its file");
        }
        return entry.data(payloads.of(event.type()));
    }

    /**
     * Returns why it was dropped. The code is {@code overloaded} when the outbox overflowed, {@code too_big}, {@code
     * storage} when it could not be written to its file or was damaged there, {@code connection_lost} for an ephemeral
     * message while offline or a message that became too old, {@code closed}, or {@code user_changed} when the server
     * named another user than before (it may have been processed for the former user). For a message of an earlier
     * process it may also be the server's answer.
     */
    public RealtimeException cause() {
        return cause;
    }

    /** Returns the event, the room and the cause, but not the payload, which belongs to the application. */
    @Override
    public String toString() {
        return "DroppedMessage{name=" + name() + ", room=" + room() + ", cause=" + cause + "}";
    }
}
