package io.realtime.client.internal.outbox;

import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.client.DroppedMessage;
import io.realtime.internal.wire.Payloads;
import org.jspecify.annotations.Nullable;

/**
 * A message that left the outbox undelivered, or was damaged in its file.
 *
 * @param entry null when the payload could not be read from its file
 */
record UndeliveredMessage(
        String name, @Nullable String room, @Nullable OutboxEntry entry, Payloads payloads, RealtimeException cause)
        implements DroppedMessage {
    /** Returns how many bytes of payload this keeps. */
    int length() {
        return entry == null ? 0 : entry.wireLength();
    }

    @Override
    public <T> T data(Event<T> event) {
        if (!event.name().equals(name)) {
            throw new IllegalArgumentException("the message is a '" + name + "', not a '" + event.name() + "'");
        }
        if (entry == null) {
            throw new PayloadException("the payload was damaged in its file");
        }
        return entry.data(payloads.of(event.type()));
    }

    /** Returns the event, the room and the cause, but not the payload, which belongs to the application. */
    @Override
    public String toString() {
        return "DroppedMessage{name=" + name + ", room=" + room + ", cause=" + cause + "}";
    }
}
