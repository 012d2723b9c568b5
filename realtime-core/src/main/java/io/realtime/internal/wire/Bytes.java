package io.realtime.internal.wire;

import io.realtime.PayloadException;
import java.lang.reflect.Type;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Payloads that travel as they are, in binary frames: those of contracts of {@code byte[]} and {@code ByteBuffer}. */
public final class Bytes {
    private Bytes() {}

    /** Returns whether payloads of this type are bytes. */
    public static boolean is(Type type) {
        return type == byte[].class || type == ByteBuffer.class;
    }

    /**
     * Returns a payload's bytes: a view, not a copy.
     *
     * @throws PayloadException when there is none
     */
    static ByteBuffer of(@Nullable Object value, Type type) {
        if (value instanceof ByteBuffer buffer) {
            return buffer.asReadOnlyBuffer();
        }
        if (value instanceof byte[] array) {
            return ByteBuffer.wrap(array);
        }
        throw PayloadException.outgoing(new PayloadException(
                "data is required: null is not a " + (type == byte[].class ? "byte[]" : "ByteBuffer")));
    }

    /** Returns bytes as a payload of this type: a copy, or a view that nobody can write to. */
    static Object as(Type type, ByteBuffer bytes) {
        if (type == ByteBuffer.class) {
            return bytes.asReadOnlyBuffer();
        }
        byte[] copy = new byte[bytes.remaining()];
        bytes.duplicate().get(copy);
        return copy;
    }
}
