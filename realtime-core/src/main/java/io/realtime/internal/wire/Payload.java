package io.realtime.internal.wire;

import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import io.realtime.PayloadException;
import io.realtime.spi.PayloadCodec;
import java.io.IOException;
import java.lang.reflect.Type;
import org.jspecify.annotations.Nullable;

/** How payloads of one type travel. Immutable. */
public final class Payload {
    private final Type type;
    private final PayloadCodec.@Nullable Mapper mapper; // throws nothing but PayloadException; null for bytes and Void

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
     * @throws PayloadException when the value cannot be written, nests too deep for a frame (one that holds itself, say),
     *     or is null where the contract is not Void
     */
    public String write(@Nullable Object value) {
        Utf8 out = new Utf8();
        write(value, out);
        return out.toString();
    }

    /** Like {@link #write(Object)}, at the end of a text. */
    void write(@Nullable Object value, Utf8 out) {
        if (value == null && type == Void.class) {
            out.add("null");
            return;
        }
        try {
            if (value == null || mapper == null) {
                throw new PayloadException("data is required: " + value + " is not a " + type);
            }
            mapper.write(value, out);
        } catch (PayloadException unfit) {
            throw PayloadException.outgoing(unfit);
        } catch (IOException never) {
            throw new IllegalStateException("a text in memory cannot be written", never);
        }
    }

    /**
     * Reads a payload straight into its Java type.
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

    /** Returns what an absent payload becomes: null for Void, JSON's null for raw JSON. */
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
