package io.realtime.spi;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One or more frames that are sent in one write. Immutable and shared: a room sends the same batch to all its members,
 * so it is encoded only once.
 */
public final class MessageBatch {
    private final List<WireMessage> frames;
    private final boolean ephemeral;
    private final int bytes;
    private final int longest;
    private volatile @Nullable ByteBuffer wire;

    private MessageBatch(List<WireMessage> frames, boolean ephemeral) {
        int sum = 0;
        int max = 0;
        for (WireMessage frame : frames) {
            sum += frame.unmaskedLength();
            max = Math.max(max, frame.length());
        }
        this.longest = max;
        this.frames = frames;
        this.ephemeral = ephemeral;
        this.bytes = sum;
    }

    /** Returns a batch of one frame. */
    public static MessageBatch of(WireMessage frame) {
        return new MessageBatch(Collections.singletonList(frame), false);
    }

    /**
     * Returns a batch of frames in their order.
     *
     * @param ephemeral true if the whole batch may be dropped for a slow receiver
     */
    public static MessageBatch of(List<WireMessage> frames, boolean ephemeral) {
        return new MessageBatch(Collections.unmodifiableList(new ArrayList<>(frames)), ephemeral);
    }

    /** Returns the frames in their order. */
    public List<WireMessage> frames() {
        return frames;
    }

    /** Returns true if the whole batch may be dropped for a slow receiver. */
    public boolean isEphemeral() {
        return ephemeral;
    }

    /** Returns the number of bytes of {@link #wire}. */
    public int bytes() {
        return bytes;
    }

    /** Returns the number of payload bytes of the longest frame. */
    public int longest() {
        return longest;
    }

    /**
     * Returns what a server writes to the socket: all frames, unmasked, read-only. All receivers share the buffer, so
     * never move its position; read a duplicate.
     */
    public ByteBuffer wire() {
        ByteBuffer encoded = wire;
        // Two threads may encode at the same time; the results are equal.
        if (encoded == null) {
            byte[] target = new byte[bytes];
            ByteBuffer out = ByteBuffer.wrap(target);
            for (WireMessage frame : frames) {
                frame.writeUnmasked(out);
            }
            encoded = ByteBuffer.wrap(target).asReadOnlyBuffer();
            wire = encoded;
        }
        return encoded;
    }

    @Override
    public String toString() {
        return frames.toString();
    }
}
