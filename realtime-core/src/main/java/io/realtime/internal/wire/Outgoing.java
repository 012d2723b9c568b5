package io.realtime.internal.wire;

import io.realtime.PayloadException;
import io.realtime.spi.WireMessage;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * An envelope on its way out. The payload is encoded once, when it is set; a log adds the offset, which it alone knows,
 * by {@link #frame(long)}. Not safe for use by many threads.
 */
public final class Outgoing {
    private static final String OFFSET = ",\"offset\":";

    private final Utf8 json = new Utf8(); // but for the last brace
    private final boolean ephemeral;
    private @Nullable ByteBuffer payload; // of a binary frame

    private Outgoing(String type, boolean ephemeral) {
        json.add("{\"type\":\"").add(type).add("\""); // names need no escaping
        this.ephemeral = ephemeral;
    }

    /** An envelope of a type that was checked before. */
    public static Outgoing of(String type) {
        return new Outgoing(type, false);
    }

    /** An envelope that may be dropped for a slow receiver. */
    public static Outgoing ephemeral(String type) {
        return new Outgoing(type, true);
    }

    /** Sets the correlation, unless null. */
    public Outgoing ref(@Nullable String ref) {
        return string("ref", ref);
    }

    /** Sets the room, unless null. */
    public Outgoing room(@Nullable String room) {
        return string("room", room);
    }

    /** Sets the publisher's user id, unless null. */
    public Outgoing from(@Nullable String user) {
        return string("from", user);
    }

    /** Sets the client's number of the message, unless 0. */
    public Outgoing seq(long seq) {
        return seq == 0 ? this : number("seq", seq);
    }

    /** Sets which item of its stream it is, from 0 on, or how many there were; unless negative. */
    public Outgoing index(long index) {
        return index < 0 ? this : number("index", index);
    }

    /** Sets the server's time. */
    public Outgoing ts(long millis) {
        return number("ts", millis);
    }

    /** Marks a message that was sent before. */
    public Outgoing redelivered(boolean redelivered) {
        if (redelivered) {
            json.add(",\"redelivered\":true");
        }
        return this;
    }

    /** Sets the payload of one of the protocol's own frames. */
    public Outgoing data(@Nullable Object value, Type type) {
        return data(value, Json.payload(type));
    }

    /**
     * Sets the payload. Bytes are taken as they are when the frame is made, which is binary then.
     *
     * @throws PayloadException when the value is none that can be written
     */
    public Outgoing data(@Nullable Object value, Payload by) {
        if (Bytes.is(by.type())) {
            return rawData(Bytes.of(value, by.type()));
        }
        int before = json.length();
        json.add(",\"data\":");
        try {
            by.write(value, json);
        } catch (PayloadException unfit) { // it may have begun
            json.truncate(before);
            throw unfit;
        }
        return this;
    }

    /** Sets the payload to bytes as they are. */
    public Outgoing rawData(ByteBuffer bytes) {
        payload = bytes;
        return this;
    }

    /** Sets the payload to JSON that was written before. */
    public Outgoing rawData(String payload) {
        json.add(",\"data\":").add(payload);
        return this;
    }

    /** Returns whether it may be dropped for a slow receiver. */
    public boolean isEphemeral() {
        return ephemeral;
    }

    /** Returns the frame, in no log. */
    public WireMessage frame() {
        return end(json.length());
    }

    /** Returns the frame with its place in a log. Encodes nothing again. */
    public WireMessage frame(long offset) {
        int fields = json.length();
        json.add(OFFSET).add(offset);
        return end(fields);
    }

    /**
     * Returns how long the frame in a log is, but for the digits of its offset and the last brace.
     *
     * @throws IllegalArgumentException when the header of a binary frame is too long
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
     * Returns a frame of an envelope with more fields at its end, without encoding anything again.
     *
     * @param fields JSON in ASCII that begins with a comma, or nothing
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
