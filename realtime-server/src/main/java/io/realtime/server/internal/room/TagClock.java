package io.realtime.server.internal.room;

import java.util.function.LongConsumer;

/**
 * The number of tag changes of all sessions. A message carries it, so that it is later known which tags a session had
 * when the message was sent. Safe for use by many threads.
 */
public final class TagClock {
    private volatile long now; // written under this

    long now() {
        return now;
    }

    /**
     * Makes a change, which counts for the messages that are sent after it.
     *
     * @param change stores the tags of one session, from the moment that it is given
     */
    public synchronized void advance(LongConsumer change) {
        long next = now + 1;
        // First: who reads the new moment sees the change.
        change.accept(next);
        now = next;
    }
}
