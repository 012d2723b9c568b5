package io.realtime.client.internal.call;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Answers to the server's requests for which the outbox had no room, in the order in which they were given. Owned by
 * the scheduler's thread.
 */
public final class PendingAnswers {
    /** How many may wait: as many requests as a server may have open. */
    public static final int MOST = 1_000;

    /** How long they may be together; a longer one waits alone. */
    public static final int MOST_BYTES = 4 << 20;

    private final ArrayDeque<CallMessage> waiting = new ArrayDeque<>();
    private long bytes;

    /** Adds an answer; returns false if there is no room for it. */
    boolean add(CallMessage answer) {
        boolean fits = waiting.isEmpty() || (waiting.size() < MOST && bytes + answer.cost() <= MOST_BYTES);
        if (fits) {
            waiting.add(answer);
            bytes += answer.cost();
        }
        return fits;
    }

    boolean isEmpty() {
        return waiting.isEmpty();
    }

    /** Removes and returns all answers. */
    List<CallMessage> take() {
        List<CallMessage> all = new ArrayList<>(waiting);
        clear();
        return all;
    }

    void clear() {
        waiting.clear();
        bytes = 0;
    }
}
