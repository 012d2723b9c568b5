package io.realtime.spi;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One or more frames that leave in one write. Immutable and shared: a room hands the same batch to all its members, so
 * its bytes on the wire are made once.
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

    /** A batch of one frame. */
    public static MessageBatch of(WireMessage frame) {
        return new MessageBatch(Collections.singletonList(frame), false);
    }

    /**
     * A batch of frames in their order.
     *
     * @param ephemeral whether all of it may be dropped for a slow receiver
     */
    public static MessageBatch of(List<WireMessage> frames, boolean ephemeral) {
        return new MessageBatch(Collections.unmodifiableList(new ArrayList<>(frames)), ephemeral);
    }

    /** Returns the frames in their order. */
    public List<WireMessage> frames() {
        return frames;
    }

    /** Returns whether all of it may be dropped for a slow receiver. */
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
     * Returns what a server puts on the wire: all frames, unmasked; read-only. It is one buffer for all receivers, whose
     * position nobody may move: read a duplicate.
     */
    public ByteBuffer wire() {
        ByteBuffer encoded = wire;
        if (encoded == null) { // two threads may both do the work; the results are equal
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
