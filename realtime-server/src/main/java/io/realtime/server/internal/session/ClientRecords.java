package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.limits.EvictionQueue;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The records of what was received from each client instance and processed, by which retransmitted messages are
 * deduplicated. A record that a session uses is never evicted. Others expire, or are evicted in the order of {@link
 * EvictionQueue}; the client is then told {@code known: false}.
 */
public final class ClientRecords {
    // How many are removed at a time.
    private static final int MOST_FORGOTTEN = 16;

    private final Scheduler scheduler;
    private final int max;
    private final long ttlNanos;
    // By user and lock.
    private final BiFunction<String, ReentrantLock, Mailbox> mailboxes;
    private final Consumer<ClientRecord> onForgotten;
    private final ReentrantLock lock = new ReentrantLock();
    // Bounded by the number of sessions.
    @GuardedBy("lock")
    private final Map<Key, ClientRecord> used = new HashMap<>();
    // In order, the one that is unused for longest first.
    @GuardedBy("lock")
    private final Map<Key, ClientRecord> unused = new LinkedHashMap<>();
    // The unused records.
    private final EvictionQueue<Key> evictions = new EvictionQueue<>(); // changed under lock

    /**
     * Creates an empty table.
     *
     * @param max how many unused records are kept
     * @param ttl for how long an unused record is kept
     * @param onForgotten called with each record that is removed, under the table's lock
     */
    public ClientRecords(
            Scheduler scheduler,
            int max,
            Duration ttl,
            BiFunction<String, ReentrantLock, Mailbox> mailboxes,
            Consumer<ClientRecord> onForgotten) {
        this.scheduler = scheduler;
        this.max = max;
        this.ttlNanos = ttl.toNanos();
        this.mailboxes = mailboxes;
        this.onForgotten = onForgotten;
    }

    /**
     * Returns the record of a user's client; a new one when there is none or it has expired. {@linkplain #close Close}
     * it as often as it was opened. A client without an id gets a record that is never found again.
     */
    public Opened open(String user, @Nullable String client) {
        if (client == null) {
            return new Opened(new ClientRecord(null, user, mailboxes), false, 1);
        }
        Key key = new Key(user, client);
        lock.lock();
        try {
            forgetOld();
            ClientRecord known = used.get(key);
            if (known == null) {
                known = unused.remove(key);
                evictions.remove(user, key);
                if (known != null && isOld(known)) {
                    onForgotten.accept(known);
                    known = null;
                }
            }
            ClientRecord record = known == null ? new ClientRecord(key, user, mailboxes) : known;
            used.put(key, record);
            record.uses++;
            return new Opened(record, known != null, record.uses);
        } finally {
            lock.unlock();
        }
    }

    /** Releases a record that was opened. */
    public void close(ClientRecord record) {
        Key key = record.key;
        if (key == null) {
            return;
        }
        lock.lock();
        try {
            record.uses--;
            if (record.uses == 0) {
                used.remove(key);
                record.unusedSince = scheduler.nanoTime();
                unused.put(key, record);
                evictions.add(key.user, key);
                if (unused.size() > max) {
                    Key gone = Objects.requireNonNull(evictions.poll());
                    onForgotten.accept(Objects.requireNonNull(unused.remove(gone)));
                }
                forgetOld();
            }
        } finally {
            lock.unlock();
        }
    }

    /** Removes some expired records: more than become unused meanwhile, but not all, since others wait for the lock. */
    @GuardedBy("lock")
    private void forgetOld() {
        Iterator<ClientRecord> oldest = unused.values().iterator();
        for (int i = 0; i < MOST_FORGOTTEN && oldest.hasNext(); i++) {
            ClientRecord record = oldest.next();
            if (!isOld(record)) {
                return;
            }
            oldest.remove();
            // A record without a key is in no table.
            Key key = Objects.requireNonNull(record.key);
            evictions.remove(key.user, key);
            onForgotten.accept(record);
        }
    }

    private boolean isOld(ClientRecord record) {
        return scheduler.nanoTime() - record.unusedSince > ttlNanos;
    }

    public int size() {
        lock.lock();
        try {
            return used.size() + unused.size();
        } finally {
            lock.unlock();
        }
    }

    /** A record, whether it existed before, and how often it is open now. */
    public record Opened(ClientRecord record, boolean known, int uses) {}

    /**
     * The key of a record. It is comparable, so that clients that choose ids with the same hash code do not slow down
     * the table.
     */
    private record Key(String user, String client) implements Comparable<Key> {
        @Override
        public int compareTo(Key other) {
            int byUser = user.compareTo(other.user);
            return byUser != 0 ? byUser : client.compareTo(other.client);
        }
    }

    /**
     * The numbers of one client's messages. It also keeps the client's mailbox, so that messages stay in order when a
     * second session of the client begins while handlers of the first still run.
     */
    public static final class ClientRecord {
        private final @Nullable Key key;
        private final Mailbox mailbox;
        // The mailbox uses it too.
        private final ReentrantLock lock = new ReentrantLock();

        @GuardedBy("lock")
        private long received;
        // Written in the mailbox.
        private volatile long processed;
        // The number of the client's newest connection.
        @GuardedBy("lock")
        private long newest;
        // The client's current session.
        private volatile @Nullable ServerSession session; // written under lock
        // Guarded by the table's lock, as is unusedSince.
        private int uses;
        private long unusedSince;

        private ClientRecord(@Nullable Key key, String user, BiFunction<String, ReentrantLock, Mailbox> mailboxes) {
            this.key = key;
            this.mailbox = mailboxes.apply(user, lock);
        }

        public Mailbox mailbox() {
            return mailbox;
        }

        /** Returns the client's id; null when it has none. */
        @Nullable
        String client() {
            return key == null ? null : key.client;
        }

        /** Returns whether this is the record of the client with this id. */
        public boolean isOf(@Nullable String client) {
            return key == null ? client == null : key.client.equals(client);
        }

        /** The result of receiving a message. */
        public enum Receipt {
            ACCEPTED,
            DUPLICATE,
            REFUSED
        }

        /** Accepts a message if it is new and the mailbox accepts it too. */
        public Receipt receive(long seq, BooleanSupplier offer) {
            lock.lock();
            try {
                if (seq <= received) {
                    return Receipt.DUPLICATE;
                }
                if (!offer.getAsBoolean()) {
                    return Receipt.REFUSED;
                }
                received = seq;
            } finally {
                lock.unlock();
            }
            mailbox.wake();
            return Receipt.ACCEPTED;
        }

        /**
         * Drops the client's messages, of all its sessions, that no handler has begun with. Called for a session that
         * ends. They count as never received, so a client that comes back retransmits them. Drops nothing when the
         * client has another session: messages that the client has sent in that session are not retransmitted, and
         * would be lost.
         *
         * @return how many messages were dropped
         */
        int dropWaiting(ServerSession ending) {
            lock.lock();
            try {
                if (session != null && session != ending) {
                    return 0;
                }
                Mailbox.Discarded dropped = mailbox.drop();
                if (dropped.least() > 0) {
                    received = dropped.least() - 1;
                }
                return dropped.count();
            } finally {
                lock.unlock();
            }
        }

        /** Notes that a message is processed. Called in the mailbox. */
        void markProcessed(long seq) {
            processed = Math.max(processed, seq);
        }

        long processed() {
            return processed;
        }

        /** Whether a connection may have the session that it requests. */
        enum Claim {
            GRANTED,
            /** A newer connection of the client came first. */
            OVERTAKEN,
            /** The client has another session, and this one is about to end. */
            REPLACED
        }

        /**
         * Notes a connection of the client, which requests a session. This and {@link #take} are decided under one
         * lock. So a connection that ends with a replaced session is never newer than the one that replaced it.
         */
        Claim claim(ServerSession wanted, long connection) {
            lock.lock();
            try {
                newest = Math.max(newest, connection);
                if (newest != connection) {
                    return Claim.OVERTAKEN;
                }
                return session == wanted ? Claim.GRANTED : Claim.REPLACED;
            } finally {
                lock.unlock();
            }
        }

        /**
         * Makes a session the client's current one, for one of its connections.
         *
         * @return the session that must end: the one before, or null if there was none; the new one itself when a newer
         *     connection of the client came first
         */
        @Nullable
        public ServerSession take(ServerSession newSession, long connection) {
            lock.lock();
            try {
                if (connection < newest) {
                    return newSession;
                }
                newest = connection;
                ServerSession before = session;
                session = newSession;
                return before;
            } finally {
                lock.unlock();
            }
        }

        /** Notes that a session is over. */
        public void left(ServerSession ended) {
            lock.lock();
            try {
                if (session == ended) {
                    session = null;
                }
            } finally {
                lock.unlock();
            }
        }

        /** Returns the client's current session, or null. */
        @Nullable
        public ServerSession session() {
            return session;
        }
    }
}
