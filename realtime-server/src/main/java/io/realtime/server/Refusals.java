package io.realtime.server;

import io.realtime.internal.wire.ErrorData;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Why clients' last messages were refused. A client hears of it in its session's inbox, which ends with the session. So it is
 * told again, in fewer words, before it hears that its inbox is new or has a gap. Of one client as many are kept as it may
 * have unacknowledged messages, and {@link #MOST} of all; beyond that the one is forgotten that the {@link EvictionQueue}
 * names. Safe for use by many threads.
 */
final class Refusals {
    static final int MOST = 20_000;

    private static final int BRIEF = 100; // characters of a message

    private final int mostOfOne;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<ClientRecords.ClientRecord, Deque<Refusal>> kept =
            new HashMap<>(); // guarded by lock; oldest first
    private final EvictionQueue<Refusal> evictions = new EvictionQueue<>(); // changed under lock

    /** @param mostOfOne how many of one client are kept */
    Refusals(int mostOfOne) {
        this.mostOfOne = mostOfOne;
    }

    /**
     * Why one message was refused.
     *
     * @param seq the client's number of it
     * @param ref the client's name for it, if it was a question
     */
    record Refusal(
            ClientRecords.ClientRecord client,
            String user,
            long seq,
            @Nullable String ref,
            ErrorData error) {}

    /**
     * Keeps a refusal, with the beginning of its words. To be called before the refusal is told, and before its message counts
     * as processed: a client that hears of the one and not of the other then finds it here.
     */
    void keep(ClientRecords.ClientRecord client, String user, long seq, @Nullable String ref, ErrorData error) {
        Refusal refusal = new Refusal(client, user, seq, ref, error.brief(BRIEF));
        lock.lock();
        try {
            Deque<Refusal> own = kept.computeIfAbsent(client, key -> new ArrayDeque<>(1));
            own.add(refusal);
            evictions.add(user, refusal);
            if (own.size() > mostOfOne) {
                forget(own.element());
            }
            Refusal excess = evictions.size() > MOST ? evictions.poll() : null;
            if (excess != null) {
                forget(excess);
            }
        } finally {
            lock.unlock();
        }
    }

    private void forget(Refusal refusal) { // guarded by lock
        evictions.remove(refusal.user, refusal);
        kept.computeIfPresent(refusal.client, (key, own) -> {
            own.remove(refusal);
            return own.isEmpty() ? null : own;
        });
    }

    /** Returns a client's, the oldest first. */
    List<Refusal> of(ClientRecords.ClientRecord client) {
        lock.lock();
        try {
            Deque<Refusal> own = kept.get(client);
            return own == null ? List.of() : List.copyOf(own);
        } finally {
            lock.unlock();
        }
    }

    /** Forgets a client's. */
    void forget(ClientRecords.ClientRecord client) {
        lock.lock();
        try {
            Deque<Refusal> own = kept.remove(client);
            if (own != null) {
                own.forEach(refusal -> evictions.remove(refusal.user, refusal));
            }
        } finally {
            lock.unlock();
        }
    }

    int size() {
        return evictions.size();
    }
}
