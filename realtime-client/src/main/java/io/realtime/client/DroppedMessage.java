package io.realtime.client;

import io.realtime.Event;
import io.realtime.RealtimeException;
import org.jspecify.annotations.Nullable;

/**
 * A message that the client gave up.
 *
 * @param event its contract
 * @param room the room it was for, or null
 * @param data the payload as it was given to {@code send}; null only for an {@code Event<Void>}
 * @param cause why: {@code overloaded} when the outbox overflowed, {@code too_big}, {@code connection_lost} for an
 *     ephemeral message while offline or a message that became too old, {@code closed}
 */
public record DroppedMessage(
        Event<?> event, @Nullable String room, @Nullable Object data, RealtimeException cause) {}
