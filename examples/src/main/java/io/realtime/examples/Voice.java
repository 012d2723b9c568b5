package io.realtime.examples;

import io.realtime.Event;
import java.nio.ByteBuffer;

/** The contract of the voice demo: what is said in a room, in frames of 20 ms. */
interface Voice {
    String ROOM = "voice:lobby";

    /** How many frames a second has. */
    int FRAMES_PER_SECOND = 50;

    /** How long a frame lasts, in nanoseconds. */
    long FRAME_NANOS = 1_000_000_000L / FRAMES_PER_SECOND;

    /**
     * A {@link Frame}, by default: a voice frame that comes late is worth nothing, and one that waits to be sent again only
     * makes those behind it late too.
     */
    Event<ByteBuffer> LIVE = Event.ephemeral("voice.frame", ByteBuffer.class);

    /** A {@link Frame} that has to arrive, however late: for a recording, say. */
    Event<ByteBuffer> KEPT = Event.of("voice.frame", ByteBuffer.class);

    /** So many frames were said, and no more follow. */
    Event<Integer> OVER = Event.of("voice.over", Integer.class);

    /**
     * One frame: its number in 4 bytes and its time in 8, big-endian, then the samples.
     *
     * @param number counts from 0
     * @param capturedNanos when it was captured, by the speaker's {@link System#nanoTime}
     * @param pcm 16-bit samples of one channel, little-endian
     */
    record Frame(int number, long capturedNanos, ByteBuffer pcm) {
        private static final int HEADER = Integer.BYTES + Long.BYTES;

        /**
         * Reads what {@link #bytes} wrote.
         *
         * @throws IllegalArgumentException when it is too short for the header
         */
        static Frame of(ByteBuffer bytes) {
            if (bytes.remaining() < HEADER) {
                throw new IllegalArgumentException("a voice frame of " + bytes.remaining() + " bytes has no header");
            }
            return new Frame(bytes.getInt(), bytes.getLong(), bytes);
        }

        ByteBuffer bytes() {
            return ByteBuffer.allocate(HEADER + pcm.remaining())
                    .putInt(number)
                    .putLong(capturedNanos)
                    .put(pcm.duplicate())
                    .flip();
        }
    }
}
