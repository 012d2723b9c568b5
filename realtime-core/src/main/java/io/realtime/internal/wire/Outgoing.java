package io.realtime.internal.wire;

import io.realtime.PayloadException;
import io.realtime.spi.WireMessage;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * An envelope to be sent. The payload is encoded once, when it is set. Only the log knows the offset; it adds it by
 * {@link #frame(long)}. Not safe for use by many threads.
 */
public final class Outgoing {
    private static final String OFFSET = ",\"offset\":";

    private final Utf8 json = new Utf8(); // without the last brace
    private final boolean ephemeral;
    private @Nullable ByteBuffer payload; // of a binary frame; else null

    private Outgoing(String type, boolean ephemeral) {
        json.add("{\"type\":\"").add(type).add("\""); // names need no escaping
        this.ephemeral = ephemeral;
    }

    /** Creates an envelope of a type that was checked before. */
    public static Outgoing of(String type) {
        return new Outgoing(type, false);
    }

    /** Creates an envelope that may be dropped for a slow receiver. */
    public static Outgoing ephemeral(String type) {
        return new Outgoing(type, true);
    }

    /** Sets the correlation; null for none. */
    public Outgoing ref(@Nullable String ref) {
        return string("ref", ref);
    }

    /** Sets the room; null for none. */
    public Outgoing room(@Nullable String room) {
        return string("room", room);
    }

    /** Sets the publisher's user id; null for none. */
    public Outgoing from(@Nullable String user) {
        return string("from", user);
    }

    /** Sets the trace context; null for none. */
    public Outgoing trace(@Nullable String trace) {
        return string("trace", trace);
    }

    /** Sets the client's number of the message; 0 for none. */
    public Outgoing seq(long seq) {
        return seq == 0 ? this : number("seq", seq);
    }

    /** Sets the index of a stream's item, from 0, or at the end of a stream the number of items; negative for none. */
    public Outgoing index(long index) {
        return index < 0 ? this : number("index", index);
    }

    /** Sets the server's time in milliseconds since the epoch. */
    public Outgoing ts(long millis) {
        return number("ts", millis);
    }

    /** Sets whether the message may be a repeat of one that was sent before. */
    public Outgoing redelivered(boolean redelivered) {
        if (redelivered) {
            json.add(",\"redelivered\":true");
        }
        return this;
    }

    /** Sets the payload of a frame of the protocol. */
    public Outgoing data(@Nullable Object value, Type type) {
        return data(value, Json.payload(type));
    }

    /**
     * Sets the payload. A payload of bytes makes the frame binary; the bytes are copied when the frame is made.
     *
     * @throws PayloadException if the value cannot be written
     */
    public Outgoing data(@Nullable Object value, Payload by) {
        if (Bytes.is(by.type())) {
            return rawData(Bytes.of(value, by.type()));
        }
        int before = json.length();
        json.add(",\"data\":");
        try {
            by.write(value, json);
        } catch (PayloadException unfit) { // remove what was already written
            json.truncate(before);
            throw unfit;
        }
        return this;
    }

    /** Sets the payload to bytes, which makes the frame binary. */
    public Outgoing rawData(ByteBuffer bytes) {
        payload = bytes;
        return this;
    }

    /** Sets the payload to JSON that was encoded before. */
    public Outgoing rawData(String payload) {
        json.add(",\"data\":").add(payload);
        return this;
    }

    /** Returns whether the envelope may be dropped for a slow receiver. */
    public boolean isEphemeral() {
        return ephemeral;
    }

    /** Returns the frame without an offset. */
    public WireMessage frame() {
        return end(json.length());
    }

    /** Returns the frame with its offset in a log. Encodes nothing again. */
    public WireMessage frame(long offset) {
        int fields = json.length();
        json.add(OFFSET).add(offset);
        return end(fields);
    }

    /**
     * Returns the length of the frame in a log, without the digits of its offset and the last brace.
     *
     * @throws IllegalArgumentException if the header of a binary frame is too long
     */
    public int length() {
        int envelope = json.length() + 1;
        int length = payload == null ? envelope : BinaryEnvelope.length(envelope, payload);
        return length - 1 + OFFSET.length();
    }

    private WireMessage end(int fields) {
        try {
            byte[] envelope = json.add("}").bytes();
            return payload == null ? WireMessage.text(envelope) : BinaryEnvelope.encode(envelope, payload);
        } finally {
            json.truncate(fields);
        }
    }

    /**
     * Returns a frame with more fields at the end of its envelope, without encoding anything again.
     *
     * @param fields JSON in ASCII that begins with a comma, or empty
     */
    public static WireMessage extend(WireMessage frame, String fields) {
        byte[] tail = fields.concat("}").getBytes(StandardCharsets.US_ASCII);
        ByteBuffer in = frame.payload();
        int brace = (frame.isText() ? in.remaining() : BinaryEnvelope.headerEnd(in)) - 1;
        byte[] bytes = new byte[in.remaining() - 1 + tail.length];
        in.get(bytes, 0, brace + 1);
        System.arraycopy(tail, 0, bytes, brace, tail.length);
        in.get(bytes, brace + tail.length, in.remaining());
        return frame.isText()
                ? WireMessage.text(bytes)
                : WireMessage.binary(BinaryEnvelope.endHeader(bytes, brace + tail.length));
    }

    private Outgoing string(String name, @Nullable String value) {
        if (value != null) {
            json.add(",\"").add(name).add("\":");
            Json.write(value, json);
        }
        return this;
    }

    private Outgoing number(String name, long value) {
        json.add(",\"").add(name).add("\":").add(value);
        return this;
    }
}
