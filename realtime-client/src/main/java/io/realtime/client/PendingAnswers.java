package io.realtime.client;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * Answers to the server's questions that the outbox had no room for, in the order in which they were given. Owned by the
 * scheduler's thread.
 */
final class PendingAnswers {
    /** So many may wait: as many as a server has open questions. */
    static final int MOST = 1_000;

    /** So long they may be together; one that is longer waits alone. */
    static final int MOST_BYTES = 4 << 20;

    private final ArrayDeque<ClientCalls.Answer> waiting = new ArrayDeque<>();
    private long bytes;

    /** Keeps an answer; false when there is no room for it. */
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

    /** Returns all, and keeps none. */
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
