package io.realtime.server.internal.limits;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The order in which the entries of users are evicted. The number of a user's entries is rounded down to a power of
 * two. The user with the largest result loses its oldest entry. Of several users with that result, it is the one that
 * has had it for longest. So a user that leaves many entries loses its own. Each operation takes constant time. Safe
 * for use by many threads. The lock is a leaf: no other lock is taken under it.
 */
public final class EvictionQueue<T> {
    private final ReentrantLock lock = new ReentrantLock();
    // The entries of each user, oldest first.
    @GuardedBy("lock")
    private final Map<String, Set<T>> entries = new HashMap<>();
    // The users with at least 2^i entries and fewer than 2^(i+1), at index i.
    @GuardedBy("lock")
    private final List<Set<String>> users = new ArrayList<>();

    @GuardedBy("lock")
    private int size;

    /** Adds an entry of a user, unless it is present. */
    public void add(String user, T entry) {
        lock.lock();
        try {
            Set<T> own = entries.computeIfAbsent(user, name -> new LinkedHashSet<>(1));
            int before = own.size();
            own.add(entry);
            move(user, before, own.size());
        } finally {
            lock.unlock();
        }
    }

    /** Removes an entry if it is present. */
    public void remove(String user, T entry) {
        lock.lock();
        try {
            Set<T> own = entries.get(user);
            if (own != null && own.remove(entry)) {
                removed(user, own);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Removes and returns the entry to evict first. Returns null if there is none. */
    @Nullable
    public T poll() {
        lock.lock();
        try {
            for (int rank = users.size() - 1; rank >= 0; rank--) {
                for (String user : users.get(rank)) {
                    Set<T> own = entries.getOrDefault(user, Set.of());
                    Iterator<T> oldest = own.iterator();
                    T entry = oldest.next();
                    oldest.remove();
                    removed(user, own);
                    return entry;
                }
            }
            return null;
        } finally {
            lock.unlock();
        }
    }

    /** Updates the tables after an entry was removed. */
    @GuardedBy("lock")
    private void removed(String user, Set<T> own) {
        if (own.isEmpty()) {
            entries.remove(user);
        }
        move(user, own.size() + 1, own.size());
    }

    /** Returns how many entries there are. */
    public int size() {
        lock.lock();
        try {
            return size;
        } finally {
            lock.unlock();
        }
    }

    /** Updates the tables after a user's number of entries has changed. */
    @GuardedBy("lock")
    private void move(String user, int before, int now) {
        size += now - before;
        int from = rank(before);
        int to = rank(now);
        if (from == to) {
            return;
        }
        if (from >= 0) {
            users.get(from).remove(user);
        }
        if (to >= 0) {
            while (users.size() <= to) {
                users.add(new LinkedHashSet<>());
            }
            users.get(to).add(user);
        }
    }

    /** Returns the exponent of the largest power of two that is not above a number of entries; -1 for 0 entries. */
    private static int rank(int size) {
        return Integer.SIZE - 1 - Integer.numberOfLeadingZeros(size);
    }
}
