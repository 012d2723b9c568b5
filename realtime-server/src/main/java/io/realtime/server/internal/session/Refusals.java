package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.wire.ErrorData;
import io.realtime.server.internal.limits.EvictionQueue;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The reasons why clients' last messages were refused. A client is told in its session's inbox, which ends with the
 * session. So it is told again, in fewer words, before it is told that its inbox is new or has a gap. For one client as
 * many are kept as it may have unacknowledged messages, and {@link #MOST} for all; beyond that {@link EvictionQueue}
 * decides which one is evicted. Safe for use by many threads.
 */
public final class Refusals {
    public static final int MOST = 20_000;

    // How many characters of an error's text are kept.
    private static final int BRIEF = 100;

    private final int mostOfOne;
    private final ReentrantLock lock = new ReentrantLock();
    // Of each client the oldest first.
    @GuardedBy("lock")
    private final Map<ClientRecords.ClientRecord, Deque<Refusal>> kept = new HashMap<>();

    private final EvictionQueue<Refusal> evictions = new EvictionQueue<>(); // changed under lock

    /** @param mostOfOne how many are kept for one client */
    public Refusals(int mostOfOne) {
        this.mostOfOne = mostOfOne;
    }

    /**
     * The reason why one message was refused.
     *
     * @param seq the client's number of the message
     * @param ref the client's name of the message if it was a request, else null
     */
    public record Refusal(
            ClientRecords.ClientRecord client,
            String user,
            long seq,
            @Nullable String ref,
            ErrorData error) {}

    /**
     * Keeps a refusal, with the beginning of its text. Call this before the client is told, and before the message
     * counts as processed. Then a client that gets the acknowledgement but not the refusal finds it here.
     */
    public void keep(ClientRecords.ClientRecord client, String user, long seq, @Nullable String ref, ErrorData error) {
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

    @GuardedBy("lock")
    private void forget(Refusal refusal) {
        evictions.remove(refusal.user, refusal);
        kept.computeIfPresent(refusal.client, (key, own) -> {
            own.remove(refusal);
            return own.isEmpty() ? null : own;
        });
    }

    /** Returns the refusals of a client, the oldest first. */
    public List<Refusal> of(ClientRecords.ClientRecord client) {
        lock.lock();
        try {
            Deque<Refusal> own = kept.get(client);
            return own == null ? List.of() : List.copyOf(own);
        } finally {
            lock.unlock();
        }
    }

    /** Removes the refusals of a client. */
    public void forget(ClientRecords.ClientRecord client) {
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

    public int size() {
        return evictions.size();
    }
}
