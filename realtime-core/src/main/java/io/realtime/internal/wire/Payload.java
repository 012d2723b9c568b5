package io.realtime.internal.wire;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import io.realtime.PayloadException;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.lang.reflect.Type;
import org.jspecify.annotations.Nullable;

/** The mapping of payloads of one type. Immutable. */
public final class Payload {
    private final Type type;
    // Throws only PayloadException; null for bytes and Void.
    private final PayloadCodec.@Nullable Mapper mapper;

    Payload(Type type, PayloadCodec.@Nullable Mapper mapper) {
        this.type = type;
        this.mapper = mapper;
    }

    Type type() {
        return type;
    }

    /**
     * Returns the JSON of a payload.
     *
     * @throws PayloadException if the value cannot be written, nests too deep for a frame (for example, because it
     *     contains itself), or is null and the contract is not Void
     */
    public String write(@Nullable Object value) {
        Utf8 out = new Utf8();
        write(value, out);
        return out.toString();
    }

    /** Appends the JSON of a payload to a text, like {@link #write(Object)}. */
    void write(@Nullable Object value, Utf8 out) {
        if (value == null && type == Void.class) {
            out.add("null");
            return;
        }
        if (value == null || mapper == null) {
            throw new PayloadException("data is required: " + value + " is not a " + type);
        }
        try {
            mapper.write(value, out);
        } catch (IOException never) {
            throw new IllegalStateException("a text in memory cannot be written", never);
        }
    }

    /**
     * Reads a payload directly into its Java type.
     *
     * @param text holds the payload in JSON that was checked before: one value, other than null
     * @throws PayloadException naming the place in the payload that does not fit
     */
    @Nullable
    Object read(String text, int from, int to) {
        if (mapper == null) {
            return null;
        }
        try {
            return mapper.read(text, from, to);
        } catch (IOException never) {
            throw new IllegalStateException("a text in memory cannot be read", never);
        }
    }

    /** Returns the value of an absent payload: null for Void, JSON's null for raw JSON. */
    @Nullable
    Object absent() {
        if (type == Void.class) {
            return null;
        }
        if (type == JsonElement.class) {
            return JsonNull.INSTANCE;
        }
        throw new PayloadException("data is required");
    }
}
