package io.realtime.internal.wire;

import io.realtime.PayloadException;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Payloads that are sent as bytes in binary frames: those of {@code byte[]} and {@code ByteBuffer} contracts. */
public final class Bytes {
    private Bytes() {}

    /** Returns whether payloads of this type are bytes. */
    public static boolean is(Type type) {
        return type == byte[].class || type == ByteBuffer.class;
    }

    /**
     * Returns a payload's bytes as a view, not a copy.
     *
     * @throws PayloadException if there is no payload
     */
    static ByteBuffer of(@Nullable Object value, Type type) {
        if (value instanceof ByteBuffer buffer) {
            return buffer.asReadOnlyBuffer();
        }
        if (value instanceof byte[] array) {
            return ByteBuffer.wrap(array);
        }
        throw new PayloadException(
                "data is required: null is not a " + (type == byte[].class ? "byte[]" : "ByteBuffer"));
    }

    /** Returns bytes as a payload of this type: a copy, or a read-only view. */
    static Object as(Type type, ByteBuffer bytes) {
        if (type == ByteBuffer.class) {
            return bytes.asReadOnlyBuffer();
        }
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return copy;
    }
}
