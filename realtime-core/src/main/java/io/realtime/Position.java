package io.realtime;

import java.util.Objects;

/**
 * A place in a room's log: the messages up to and including {@code offset} are before it.
 *
 * @param epoch changes whenever the log could not be continued; offsets of different epochs cannot be compared
 * @param offset the offset of the last message before this place; 0 is the beginning
 */
public record Position(String epoch, long offset) {
    /**
     * Creates a position.
     *
     * @throws IllegalArgumentException if the offset is negative
     */
    public Position {
        Objects.requireNonNull(epoch, "epoch");
        if (offset < 0) {
            throw new IllegalArgumentException("offset " + offset + " is negative");
        }
    }
}
