package io.realtime.examples;

import io.realtime.Event;
import java.nio.ByteBuffer;

/** The contract of the voice demo: speech in a room, in frames of 20 ms. */
interface Voice {
    String ROOM = "voice:lobby";

    /** The number of frames in a second. */
    int FRAMES_PER_SECOND = 50;

    /** The duration of a frame, in nanoseconds. */
    long FRAME_NANOS = 1_000_000_000L / FRAMES_PER_SECOND;

    /**
     * A {@link Frame}; used by default. A late voice frame is useless, and retransmitting one delays the frames after
     * it.
     */
    Event<ByteBuffer> LIVE = Event.ephemeral("voice.frame", ByteBuffer.class);

    /** A {@link Frame} that must arrive, however late, for example for a recording. */
    Event<ByteBuffer> KEPT = Event.of("voice.frame", ByteBuffer.class);

    /** The number of frames that were sent. No more follow. */
    Event<Integer> OVER = Event.of("voice.over", Integer.class);

    /**
     * One frame: its number in 4 bytes and its time in 8, big-endian, then the samples.
     *
     * @param number counts from 0
     * @param capturedNanos the time of capture, by the speaker's {@link System#nanoTime}
     * @param pcm 16-bit samples of one channel, little-endian
     */
    record Frame(int number, long capturedNanos, ByteBuffer pcm) {
        private static final int HEADER = Integer.BYTES + Long.BYTES;

        /**
         * Parses what {@link #bytes} has written.
         *
         * @throws IllegalArgumentException if the bytes are too short for the header
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
