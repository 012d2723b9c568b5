package io.realtime.examples;

import io.realtime.StreamRequest;
import org.jspecify.annotations.Nullable;

/** The contract of the script demo, shared by its server and, in JSON, the page. */
interface Script {
    /**
     * Streams a script about a topic. Fails with {@code bad_data} without a topic, and with {@code writer_failed} if
     * the writer cannot continue.
     */
    StreamRequest<Topic, Piece> GENERATE = StreamRequest.of("script.generate", Topic.class, Piece.class);

    /** The maximum length of a topic. */
    int MAX_TOPIC = 200;

    /** The topic of a script. */
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
     * A piece of the stream. One of the two components is null.
     *
     * @param text more of the script, to be appended as it is
     * @param notice a remark about the script that is not part of it
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
