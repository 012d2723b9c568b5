package io.realtime.server;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * What was received from and processed for each client instance: why a message that is sent again is not processed
 * again. Bounded; the record unused for longest goes first, and its client is then told {@code known: false}.
 */
final class ClientRecords {
    private final Scheduler scheduler;
    private final int max;
    private final long ttlNanos;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Key, ClientRecord> records =
            new LinkedHashMap<>(16, 0.75f, true); // guarded by lock; oldest use first

    ClientRecords(Scheduler scheduler, int max, Duration ttl) {
        this.scheduler = scheduler;
        this.max = max;
        this.ttlNanos = ttl.toNanos();
    }

    /** Returns the record of a user's client, a new one when there is none or it has expired. */
    Opened open(String user, String client) {
        long now = scheduler.nanoTime();
        lock.lock();
        try {
            for (Iterator<ClientRecord> oldest = records.values().iterator(); oldest.hasNext(); ) {
                ClientRecord record = oldest.next();
                if (records.size() <= max && now - record.lastUsed <= ttlNanos) {
                    break;
                }
                oldest.remove();
            }
            Key key = new Key(user, client);
            ClientRecord known = records.get(key);
            ClientRecord record = known == null ? new ClientRecord() : known;
            record.lastUsed = now;
            if (known == null) {
                records.put(key, record);
            }
            return new Opened(record, known != null);
        } finally {
            lock.unlock();
        }
    }

    int size() {
        lock.lock();
        try {
            return records.size();
        } finally {
            lock.unlock();
        }
    }

    /** A record, and whether it was there before. */
    record Opened(ClientRecord record, boolean known) {}

    private record Key(String user, String client) {}

    /** How far one client has come. */
    static final class ClientRecord {
        private final ReentrantLock lock = new ReentrantLock();
        private long received; // guarded by lock
        private long processed; // guarded by lock
        private volatile long lastUsed;

        /** What became of a message. */
        enum Receipt {
            ACCEPTED,
            DUPLICATE,
            REFUSED
        }

        /** Takes a message if it is new and the mailbox has room; both or neither. */
        Receipt receive(long seq, BooleanSupplier mailbox) {
            lock.lock();
            try {
                if (seq <= received) {
                    return Receipt.DUPLICATE;
                }
                if (!mailbox.getAsBoolean()) {
                    return Receipt.REFUSED;
                }
                received = seq;
                return Receipt.ACCEPTED;
            } finally {
                lock.unlock();
            }
        }

        void processed(long seq) {
            lock.lock();
            try {
                processed = Math.max(processed, seq);
            } finally {
                lock.unlock();
            }
        }

        long processed() {
            lock.lock();
            try {
                return processed;
            } finally {
                lock.unlock();
            }
        }
    }
}
