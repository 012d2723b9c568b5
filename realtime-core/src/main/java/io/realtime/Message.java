package io.realtime;

import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * A message as a handler receives it. Immutable.
 *
 * @param <T> the payload's type
 */
public final class Message<T> {
    private final T data;
    private final @Nullable String room;
    private final @Nullable Position position;
    private final @Nullable String from;
    private final Instant timestamp;
    private final boolean redelivered;
    private final @Nullable String trace;

    /**
     * Creates a message without a trace context; applications call this in tests of their own handlers.
     *
     * @param room see {@link #room()}
     * @param position see {@link #position()}
     * @param from see {@link #from()}
     */
    public Message(
            T data,
            @Nullable String room,
            @Nullable Position position,
            @Nullable String from,
            Instant timestamp,
            boolean redelivered) {
        this(data, room, position, from, timestamp, redelivered, null);
    }

    /** Creates a message with all that it may have. */
    public Message(
            T data,
            @Nullable String room,
            @Nullable Position position,
            @Nullable String from,
            Instant timestamp,
            boolean redelivered,
            @Nullable String trace) {
        this.data = data;
        this.room = room;
        this.position = position;
        this.from = from;
        this.timestamp = Objects.requireNonNull(timestamp, "timestamp");
        this.redelivered = redelivered;
        this.trace = trace;
    }

    /**
     * Returns the payload; null only for an {@code Event<Void>}. A {@code ByteBuffer} is read-only, and each call
     * returns one with its own position at the beginning. A {@code byte[]} is a copy that all handlers of the message
     * share.
     */
    @SuppressWarnings("unchecked") // a read-only view of a buffer has the type of that buffer
    public T data() {
        return data instanceof ByteBuffer bytes ? (T) bytes.asReadOnlyBuffer() : data;
    }

    /**
     * Returns the room that the message belongs to, or null if it names none. On a client this is the name of a room,
     * or {@code @user}, {@code @session} or {@code @all} for a message to this user, to this session or to everyone.
     */
    public @Nullable String room() {
        return room;
    }

    /**
     * Returns the room that the message belongs to, for a handler that needs one.
     *
     * @throws RealtimeException if the message names no room; if a server's handler lets it escape, the client gets
     * {@code bad_data: room is required}
     */
    public String requireRoom() {
        if (room == null) {
            throw new RealtimeException(ErrorCode.BAD_DATA, "room is required");
        }
        return room;
    }

    /** Returns the position of the message in the log of its room; null if it is in no log (ephemeral, or inbound). */
    public @Nullable Position position() {
        return position;
    }

    /** Returns the id of the user whom the message is from; null if it is from the server. */
    public @Nullable String from() {
        return from;
    }

    /** Returns the time of the server's clock when the server accepted the message. */
    public Instant timestamp() {
        return timestamp;
    }

    /**
     * Returns whether the message may be a repeat: it was sent before, and no acknowledgement arrived. As long as the
     * server's record of processed messages exists, repeats are deduplicated and a handler sees each message once.
     * After that record is lost, use this value to detect a repeat.
     */
    public boolean isRedelivered() {
        return redelivered;
    }

    /**
     * Returns the trace context that the sender has set, usually a {@code traceparent} of W3C Trace Context; null when
     * there is none. It is 1 to 128 of {@code A-Z a-z 0-9 _ . : / -}; whether it is a valid {@code traceparent} is not
     * checked. On a server it is what a client claims.
     */
    public @Nullable String trace() {
        return trace;
    }

    @Override
    public String toString() {
        return "Message{data=" + data + ", room=" + room + ", position=" + position + ", from=" + from + ", timestamp="
                + timestamp + ", redelivered=" + redelivered + "}";
    }
}
