package io.realtime.internal.wire;

import io.realtime.spi.Frame;
import java.lang.reflect.Type;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * An envelope on its way out. The payload is encoded once, when it is set; a log adds the offset, which it alone knows,
 * by {@link #frame(long)} without encoding anything again. Not safe for use by many threads until the last field is
 * set.
 */
public final class Outgoing {
    private final StringBuilder json;
    private final boolean ephemeral;
    private byte @Nullable [] open;

    private Outgoing(String type, boolean ephemeral) {
        this.json = new StringBuilder(128).append("{\"type\":\"").append(type).append('"'); // names need no escaping
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

    /** Sets the server's time. */
    public Outgoing ts(long millis) {
        return number("ts", millis);
    }

    /** Marks a message that was sent before. */
    public Outgoing redelivered(boolean redelivered) {
        if (redelivered) {
            json.append(",\"redelivered\":true");
        }
        return this;
    }

    /**
     * Sets the payload.
     *
     * @throws io.realtime.PayloadException when the value is none that can be written
     */
    public Outgoing data(@Nullable Object value, Type type) {
        return rawData(Json.write(value, type));
    }

    /** Sets the payload to JSON that was written before. */
    public Outgoing rawData(String payload) {
        json.append(",\"data\":").append(payload);
        return this;
    }

    /** Returns whether it may be dropped for a slow receiver. */
    public boolean isEphemeral() {
        return ephemeral;
    }

    /** Returns the frame, in no log. */
    public Frame frame() {
        return Frame.text((json + "}").getBytes(StandardCharsets.UTF_8));
    }

    /** Encodes all but the offset, so that {@link #frame(long)} has only bytes to copy. Returns the encoded size. */
    public int prepare() {
        byte[] encoded = (json + ",\"offset\":").getBytes(StandardCharsets.UTF_8);
        open = encoded;
        return encoded.length;
    }

    /** Returns the frame with its place in a log; {@link #prepare} comes first. */
    public Frame frame(long offset) {
        byte[] prepared = open;
        if (prepared == null) {
            throw new IllegalStateException("prepare comes first");
        }
        byte[] digits = (offset + "}").getBytes(StandardCharsets.US_ASCII);
        byte[] bytes = new byte[prepared.length + digits.length];
        System.arraycopy(prepared, 0, bytes, 0, prepared.length);
        System.arraycopy(digits, 0, bytes, prepared.length, digits.length);
        return Frame.text(bytes);
    }

    private Outgoing string(String name, @Nullable String value) {
        if (value != null) {
            json.append(",\"").append(name).append("\":").append(Json.write(value, String.class));
        }
        return this;
    }

    private Outgoing number(String name, long value) {
        json.append(",\"").append(name).append("\":").append(value);
        return this;
    }
}
