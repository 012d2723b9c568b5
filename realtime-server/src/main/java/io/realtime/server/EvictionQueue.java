package io.realtime.server;

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
 * Chooses which entry of which user is evicted first. The number of a user's entries is rounded down to a power of
 * two, and the user with the largest result loses its oldest entry. When several users have the same result, it is the user
 * who has had it for longest. So a user who leaves many entries loses its own. Each operation takes constant time. Safe for use by many
 * threads; its lock is a leaf.
 */
final class EvictionQueue<T> {
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Set<T>> entries = new HashMap<>(); // guarded by lock: by user, the oldest first
    private final List<Set<String>> users = new ArrayList<>(); // guarded by lock: at i those with 2^i entries or more
    private int size; // guarded by lock

    /** Adds an entry of a user, unless it is there. */
    void add(String user, T entry) {
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

    /** Removes an entry, if it is there. */
    void remove(String user, T entry) {
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

    /** Removes and returns what is to be evicted; null when there is nothing. */
    @Nullable
    T poll() {
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

    /** Under the lock. */
    private void removed(String user, Set<T> own) {
        if (own.isEmpty()) {
            entries.remove(user);
        }
        move(user, own.size() + 1, own.size());
    }

    /** Returns how many entries there are. */
    int size() {
        lock.lock();
        try {
            return size;
        } finally {
            lock.unlock();
        }
    }

    /** Under the lock: a user has another number of entries. */
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

    /** The power of two in a number of entries; -1 for none. */
    private static int rank(int size) {
        return Integer.SIZE - 1 - Integer.numberOfLeadingZeros(size);
    }
}
