package io.realtime.client;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Answers to the server's requests for which the outbox had no room, in the order in which they were given. Owned by
 * the scheduler's thread.
 */
final class PendingAnswers {
    /** How many may wait: as many requests as a server may have open. */
    static final int MOST = 1_000;

    /** How long they may be together; a longer one waits alone. */
    static final int MOST_BYTES = 4 << 20;

    private final ArrayDeque<ClientCalls.Answer> waiting = new ArrayDeque<>();
    private long bytes;

    /** Adds an answer; returns false if there is no room for it. */
    boolean add(ClientCalls.Answer answer) {
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
    List<ClientCalls.Answer> take() {
        List<ClientCalls.Answer> all = new ArrayList<>(waiting);
        clear();
        return all;
    }

    void clear() {
        waiting.clear();
        bytes = 0;
    }
}
