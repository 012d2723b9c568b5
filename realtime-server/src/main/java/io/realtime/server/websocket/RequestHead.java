package io.realtime.server.websocket;

import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The head of an HTTP request, collected as it arrives, up to a limit. For one thread. */
public final class RequestHead {
    private final int limit;
    private byte[] bytes = new byte[0];
    private int length;

    /**
     * Creates an empty head.
     *
     * @param limit its longest length in bytes
     */
    public RequestHead(int limit) {
        this.limit = limit;
    }

    /**
     * Reads the part of the input that belongs to the head; what follows stays in the input.
     *
     * @return the whole head, its empty line included, or null if its end has not arrived
     */
    public @Nullable ByteBuffer read(ByteBuffer in) {
        int scanned = Math.max(0, length - 3);
        int count = Math.min(in.remaining(), limit - length);
        if (length + count > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.min(limit, Math.max(length + count, 2 * bytes.length)));
        }
        in.get(bytes, length, count);
        length += count;
        for (int i = scanned; i + 3 < length; i++) {
            if (bytes[i] == '\r' && bytes[i + 1] == '\n' && bytes[i + 2] == '\r' && bytes[i + 3] == '\n') {
                in.position(in.position() - (length - (i + 4)));
                return ByteBuffer.wrap(bytes, 0, i + 4);
            }
        }
        return null;
    }

    /** Returns how many more bytes the head may have; if it is 0, the end cannot arrive any more. */
    public int room() {
        return limit - length;
    }
}
