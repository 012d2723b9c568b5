package io.realtime.examples;

import io.realtime.StreamRequest;
import org.jspecify.annotations.Nullable;

/** The contract of the script demo, shared by its server and, in JSON, the page. */
interface Script {
    /** A script about a topic; {@code bad_data} without one, {@code writer_failed} when it cannot go on. */
    StreamRequest<Topic, Piece> GENERATE = StreamRequest.of("script.generate", Topic.class, Piece.class);

    /** The longest topic. */
    int MAX_TOPIC = 200;

    /** What a script is wanted about. */
    record Topic(String topic) {
        public Topic {
            if (topic == null || topic.isBlank()) {
                throw new IllegalArgumentException("topic is required");
            }
            if (topic.length() > MAX_TOPIC) {
                throw new IllegalArgumentException("topic is longer than " + MAX_TOPIC + " characters");
            }
        }
    }

    /**
     * A piece of what is streamed; one of the two is there.
     *
     * @param text more of the script, as it is to be appended
     * @param notice something about the script that is not of it
     */
    record Piece(@Nullable String text, @Nullable String notice) {
        static Piece text(String text) {
            return new Piece(text, null);
        }

        static Piece notice(String notice) {
            return new Piece(null, notice);
        }
    }
}
