package io.realtime.internal.wire;

import io.realtime.ErrorCode;
import io.realtime.Message;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import java.lang.reflect.Type;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A received frame: the checked fields of the envelope, and the payload as JSON or bytes. {@link #parse} runs on I/O
 * threads and reads no type of the application. {@link #data} reads the payload directly into its Java type, on the
 * thread of the handler that needs it. Immutable.
 */
public final class Envelope {
    private static final String[] FIELDS = {
        "type", "data", "ref", "seq", "room", "offset", "from", "ts", "index", "redelivered", "trace"
    };

    private final String text;
    private final @Nullable ByteBuffer payload;
    private boolean hasData;
    private int dataFrom; // position in the text
    private int dataTo;
    private @Nullable String type;
    private @Nullable String ref;
    private @Nullable String room;
    private @Nullable String from;
    private @Nullable String trace;
    private long seq;
    private long offset;
    private long index = -1;
    private long ts;
    private boolean redelivered;

    private Envelope(String text, @Nullable ByteBuffer payload) {
        this.text = text;
        this.payload = payload;
    }

    private Envelope(Envelope of, String text, @Nullable ByteBuffer payload) {
        this(text, payload);
        type = of.type;
        ref = of.ref;
        room = of.room;
        from = of.from;
        trace = of.trace;
        seq = of.seq;
        offset = of.offset;
        index = of.index;
        ts = of.ts;
        redelivered = of.redelivered;
    }

    /**
     * Checks a text frame: one JSON object, well-formed to its end, fields of the right types and lengths, no field
     * twice, nesting at most {@link Json#MAX_NESTING}. The transport bounds its length.
     *
     * @throws MalformedException if the frame is malformed; the message says why
     */
    public static Envelope parse(String text) {
        return parse(text, Json.MAX_NESTING, null);
    }

    /**
     * Checks a text frame from a server, like {@link #parse}, with nesting at most {@link
     * Json#MAX_NESTING_FROM_SERVER}.
     *
     * @throws MalformedException if the frame is malformed; the message says why
     */
    public static Envelope parseFromServer(String text) {
        return parse(text, Json.MAX_NESTING_FROM_SERVER, null);
    }

    /**
     * Checks an envelope.
     *
     * @param payload the payload of a binary frame, read-only; null for a text frame, whose payload is {@code data}
     */
    static Envelope parse(String text, int nesting, @Nullable ByteBuffer payload) {
        Envelope envelope = new Envelope(text, payload);
        MalformedException fault;
        try {
            fault = envelope.read(new JsonScanner(text, nesting));
        } catch (JsonScanner.NotJsonException unfit) {
            fault = new MalformedException("a frame must hold JSON (RFC 8259), nested at most " + nesting + " deep");
        }
        if (fault == null && envelope.type == null) {
            fault = new MalformedException("field 'type' is missing");
        }
        if (fault != null) {
            throw fault.about(envelope);
        }
        return envelope;
    }

    /**
     * Reads all fields; returns the first fault, or null if there is none. Continues after a fault, because the answer
     * needs the ref.
     */
    private @Nullable MalformedException read(JsonScanner in) {
        if (in.peek() != '{') {
            in.value();
            return new MalformedException("a frame must hold one JSON object");
        }
        MalformedException first = null;
        in.begin('{');
        int known = 0;
        Set<String> unknown = null;
        for (boolean isFirst = true; in.hasNext('}', isFirst); isFirst = false) {
            int number = in.name(FIELDS);
            String name = number >= 0 ? FIELDS[number] : in.name();
            number = number >= 0 ? number : Arrays.asList(FIELDS).indexOf(name); // the name may contain escapes
            boolean isNew;
            if (number >= 0) {
                isNew = (known & 1 << number) == 0;
                known |= 1 << number;
            } else {
                unknown = unknown == null ? new HashSet<>() : unknown;
                isNew = unknown.add(name);
            }
            MalformedException fault = null;
            if (isNew) {
                try {
                    readField(name, in);
                } catch (MalformedException unfit) {
                    fault = unfit;
                }
            } else {
                in.value();
                fault = new MalformedException("field '" + Names.abbreviate(name) + "' is repeated");
            }
            first = first == null ? fault : first;
        }
        if (first == null && !in.isAtEnd()) {
            first = new MalformedException("a frame must hold one JSON object and nothing after it");
        }
        return first;
    }

    /** Reads a field's value; the scanner is after the value even if it is refused. */
    private void readField(String name, JsonScanner in) {
        switch (name) {
            case "type" -> {
                String value = string(name, in);
                if (!Names.isType(value)) {
                    throw new MalformedException("type '" + Names.abbreviate(value)
                            + "' is not 1 to 128 of A-Z a-z 0-9 _ . : / - after an optional $");
                }
                type = value;
            }
            case "data" -> {
                hasData = in.peek() != 'n';
                dataFrom = in.position();
                in.value();
                dataTo = in.position();
                if (payload != null) {
                    throw new MalformedException("the header of a binary frame has a field 'data'");
                }
            }
            case "ref" -> {
                String value = string(name, in);
                if (value.length() > Names.MAX_REF || !Names.isLine(value, Integer.MAX_VALUE)) {
                    throw new MalformedException(
                            "field 'ref' is not 1 to " + Names.MAX_REF + " characters without control characters");
                }
                ref = value;
            }
            case "room" -> {
                String value = string(name, in);
                if (!Names.isLine(value, Names.MAX_ROOM_BYTES)) {
                    throw new MalformedException(
                            "field 'room' is not 1 to " + Names.MAX_ROOM_BYTES + " bytes without control characters");
                }
                room = value;
            }
            case "from" -> from = string(name, in);
            case "trace" -> {
                String value = string(name, in);
                if (!Names.isTrace(value)) {
                    throw new MalformedException(
                            "field 'trace' is not 1 to " + Names.MAX_TRACE + " of A-Z a-z 0-9 _ . : / -");
                }
                trace = value;
            }
            case "seq" -> seq = integer(name, 1, in);
            case "offset" -> offset = integer(name, 1, in);
            case "index" -> index = integer(name, 0, in);
            case "ts" -> ts = integer(name, 0, in);
            case "redelivered" -> {
                Boolean value = in.bool();
                if (value == null) {
                    in.value(); // must be JSON even so
                    throw new MalformedException("field 'redelivered' is not a boolean");
                }
                redelivered = value;
            }
            default -> in.value();
        }
    }

    private static String string(String name, JsonScanner in) {
        if (in.peek() != '"') {
            in.value(); // must be JSON even so
            throw new MalformedException("field '" + name + "' is not a string");
        }
        return in.string();
    }

    private static long integer(String name, long min, JsonScanner in) {
        long value = in.integer();
        if (value < min) {
            throw new MalformedException("field '" + name + "' is not an integer from " + min + " to 2^53-1");
        }
        return value;
    }

    /** Returns the name of the message. */
    public String type() {
        if (type == null) {
            throw new IllegalStateException("parse refuses an envelope without a type");
        }
        return type;
    }

    /** Returns whether the frame belongs to the protocol, not to the application. */
    public boolean isProtocol() {
        return type().charAt(0) == '$';
    }

    /** Returns the correlation, or null if there is none. */
    public @Nullable String ref() {
        return ref;
    }

    /** Returns the room, or null if there is none. */
    public @Nullable String room() {
        return room;
    }

    /** Returns the publisher's user id, or null if there is none. */
    public @Nullable String from() {
        return from;
    }

    /** Returns the trace context, or null if there is none. */
    public @Nullable String trace() {
        return trace;
    }

    /** Returns the client's number of the message, or 0 if there is none. */
    public long seq() {
        return seq;
    }

    /** Returns the offset in the room's log, or 0 if there is none. */
    public long offset() {
        return offset;
    }

    /**
     * Returns the index of a stream's item, from 0, or at the end of a stream the number of items; -1 if there is none.
     */
    public long index() {
        return index;
    }

    /** Returns the server's time in milliseconds since the epoch, or 0 if there is none. */
    public long ts() {
        return ts;
    }

    /** Returns whether the message may be a repeat of one that was sent before. */
    public boolean isRedelivered() {
        return redelivered;
    }

    /** Returns the length of the frame, in characters of text and bytes of binary payload: what it costs to keep. */
    public int length() {
        return text.length() + (payload == null ? 0 : payload.remaining());
    }

    /** Returns the length of the payload in bytes; of JSON as it was written, in UTF-8. */
    public long dataBytes() {
        if (payload != null) {
            return payload.remaining();
        }
        long bytes = 0;
        for (int i = dataFrom; i < dataTo; i++) {
            char c = text.charAt(i);
            // A surrogate is half of four bytes.
            bytes += c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate(c) ? 2 : 3;
        }
        return bytes;
    }

    /** Returns the payload of a binary frame, read-only, with its own position; null for a text frame. */
    public @Nullable ByteBuffer payload() {
        return payload == null ? null : payload.duplicate();
    }

    /** Returns whether there is a JSON payload other than null. */
    public boolean hasData() {
        return hasData;
    }

    /**
     * Returns the JSON payload as it was written; {@code null} if there is none.
     *
     * @throws IllegalStateException if the payload is bytes
     */
    public String json() {
        if (payload != null) {
            throw new IllegalStateException("the payload of '" + type + "' is bytes, not JSON");
        }
        return hasData ? text.substring(dataFrom, dataTo).trim() : "null";
    }

    /**
     * Returns this envelope with another payload.
     *
     * @throws IllegalArgumentException if it is not one JSON value, or nests too deep for a frame
     */
    public Envelope withJson(String json) {
        Envelope changed = new Envelope(this, json, null);
        try {
            // The envelope is one level.
            JsonScanner in = new JsonScanner(json, Json.MAX_NESTING - 1);
            changed.hasData = in.peek() != 'n';
            changed.dataFrom = in.position();
            in.value();
            changed.dataTo = in.position();
            if (in.isAtEnd()) {
                return changed;
            }
        } catch (JsonScanner.NotJsonException | MalformedException unfit) {
            throw notJson(unfit);
        }
        throw notJson(null);
    }

    private static IllegalArgumentException notJson(@Nullable Throwable cause) {
        return new IllegalArgumentException(
                "a payload must hold one JSON value (RFC 8259), nested at most " + (Json.MAX_NESTING - 1) + " deep",
                cause);
    }

    /**
     * Returns this envelope with another payload; bytes are copied.
     *
     * @throws PayloadException if the value cannot be written
     */
    public Envelope withData(Object value, Payload by) {
        if (!Bytes.is(by.type())) {
            return withJson(by.write(value));
        }
        ByteBuffer copy = ByteBuffer.allocate(Bytes.of(value, by.type()).remaining());
        copy.put(Bytes.of(value, by.type()));
        ((Buffer) copy).flip();
        return new Envelope(this, "", copy.asReadOnlyBuffer());
    }

    /**
     * Reads the payload of a frame of the protocol.
     *
     * @throws PayloadException if it does not fit the type
     */
    @SuppressWarnings("TypeParameterUnusedInFormals") // the caller names the frame's type
    public <T> T data(Type javaType) {
        T data = data(Json.payload(javaType));
        return data;
    }

    /**
     * Reads the payload. Bytes are a copy, or a read-only view of the frame.
     *
     * @throws PayloadException if it does not fit the type, or one of payload and type is JSON and the other is bytes
     */
    @SuppressWarnings({"unchecked", "NullAway", "TypeParameterUnusedInFormals"
    }) // the caller names the contract's type; null is a Void's only value
    public <T> T data(Payload by) {
        if (Bytes.is(by.type()) != (payload != null)) {
            throw new PayloadException("'" + type + "' comes in a "
                    + (payload == null ? "binary frame, not in a text one" : "text frame, not in a binary one"));
        }
        if (payload != null) {
            return (T) Bytes.as(by.type(), payload);
        }
        return (T) (hasData ? by.read(text, dataFrom, dataTo) : by.absent());
    }

    /**
     * Reads the payload of a message for its handler, like {@link #data(Payload)}.
     *
     * @throws RealtimeException {@code bad_data} for the sender of the message, if it does not fit
     */
    @SuppressWarnings("TypeParameterUnusedInFormals") // the caller names the contract's type
    public <T> T received(Payload by) {
        try {
            T data = data(by);
            return data;
        } catch (PayloadException unfit) {
            throw new RealtimeException(unfit.code(), Steps.message(unfit), unfit.isRetryable(), unfit);
        }
    }

    /** Reads the payload of an error frame. */
    public ErrorData error() {
        try {
            ErrorData error = data(ErrorData.class);
            return error;
        } catch (PayloadException unfit) {
            return new ErrorData(ErrorCode.INTERNAL.value(), "an error that cannot be read", false, null, null);
        }
    }

    /**
     * Returns the message for a handler.
     *
     * @param epoch the epoch of the room's log, or null if the message is in no log
     * @throws PayloadException if the payload does not fit the type
     */
    @SuppressWarnings("TypeParameterUnusedInFormals") // the caller names the contract's type
    public <T> Message<T> message(Payload by, @Nullable String epoch, long timestampMillis) {
        T payload = data(by);
        Position position = epoch == null || offset == 0 ? null : new Position(epoch, offset);
        return new Message<>(payload, room, position, from, Instant.ofEpochMilli(timestampMillis), redelivered, trace);
    }

    /** Returns the fields only: the payload may hold a token. */
    @Override
    public String toString() {
        return "Envelope{type=" + type + ", ref=" + ref + ", room=" + room + ", seq=" + seq + ", offset=" + offset
                + "}";
    }
}
