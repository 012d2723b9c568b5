package io.realtime;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * One message as a handler receives it. Immutable.
 *
 * @param <T> the payload's type
 */
public final class Message<T> {
    private final T data;
    private final @Nullable String room;
    private final @Nullable Position position;
    private final @Nullable String sender;
    private final Instant timestamp;
    private final boolean redelivered;

    /**
     * A message; applications call this in tests of their own handlers.
     *
     * @param room see {@link #room()}
     * @param position see {@link #position()}
     * @param sender see {@link #sender()}
     */
    public Message(
            T data,
            @Nullable String room,
            @Nullable Position position,
            @Nullable String sender,
            Instant timestamp,
            boolean redelivered) {
        this.data = data;
        this.room = room;
        this.position = position;
        this.sender = sender;
        this.timestamp = Objects.requireNonNull(timestamp, "timestamp");
        this.redelivered = redelivered;
    }

    /**
     * Returns the payload; null only for an {@code Event<Void>}. A {@code ByteBuffer} comes read-only, each time with a
     * position of its own at its beginning; a {@code byte[]} is no part of a buffer of the library, and is the same for all
     * handlers of the message.
     */
    @SuppressWarnings("unchecked") // a read-only view of a buffer has the type of that buffer
    public T data() {
        return data instanceof ByteBuffer bytes ? (T) bytes.asReadOnlyBuffer() : data;
    }

    /**
     * Returns the room that the message belongs to, or null when it names none. On the client that is the name of a room,
     * or {@code @user}, {@code @session} or {@code @all} for what was sent to this user, to this session, to everyone.
     */
    public @Nullable String room() {
        return room;
    }

    /**
     * Returns the room that the message belongs to, for a handler that needs one.
     *
     * @throws PayloadException when the message names none; thrown from a server's handler it answers the sender
     *     with {@code bad_data: room is required}
     */
    public String requireRoom() {
        if (room == null) {
            throw new PayloadException("room is required");
        }
        return room;
    }

    /** Returns the place of the message in the log of its room; null when it is in none (ephemeral, or inbound). */
    public @Nullable Position position() {
        return position;
    }

    /** Returns the id of the user who sent it; null when the server application itself did. */
    public @Nullable String sender() {
        return sender;
    }

    /** Returns the server's clock when it accepted the message. */
    public Instant timestamp() {
        return timestamp;
    }

    /**
     * Returns whether the message was sent before without an acknowledgement having arrived. Where the record of what
     * was processed still lives, a handler sees each message once even so; where it does not, this is the handler's
     * chance to notice a repeat.
     */
    public boolean isRedelivered() {
        return redelivered;
    }

    @Override
    public String toString() {
        return "Message{data=" + data + ", room=" + room + ", position=" + position + ", sender=" + sender
                + ", timestamp=" + timestamp + ", redelivered=" + redelivered + "}";
    }
}
