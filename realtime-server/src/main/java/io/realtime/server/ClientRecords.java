package io.realtime.server;

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
 * What was received from and processed for each client instance: why a message that is sent again is not processed
 * again. A record in use by a session is never forgotten; of the others the one goes first that the {@link EvictionQueue}
 * names, and its client is then told {@code known: false}.
 */
final class ClientRecords {
    private static final int MOST_FORGOTTEN = 16; // at a time

    private final Scheduler scheduler;
    private final int max;
    private final long ttlNanos;
    private final BiFunction<String, ReentrantLock, Mailbox> mailboxes; // by user and lock
    private final Consumer<ClientRecord> onForgotten;
    private final ReentrantLock lock = new ReentrantLock();
    private final Map<Key, ClientRecord> used = new HashMap<>(); // guarded by lock; bounded by the sessions
    private final Map<Key, ClientRecord> unused = new LinkedHashMap<>(); // guarded by lock; longest unused first
    private final EvictionQueue<Key> evictions = new EvictionQueue<>(); // changed under lock: the unused ones

    /**
     * An empty table.
     *
     * @param max how many unused records are kept
     * @param ttl how long
     * @param onForgotten told under the table's lock
     */
    ClientRecords(
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
     * Returns the record of a user's client, a new one when there is none or it has expired; to be {@linkplain #close
     * closed} as often as it was opened. A client without an id gets a record that nobody finds again.
     */
    Opened open(String user, @Nullable String client) {
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

    /** Notes that one who opened a record needs it no more. */
    void close(ClientRecord record) {
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

    /** Forgets some of the expired ones: more than become unused meanwhile, and not all while others wait for the lock. */
    private void forgetOld() {
        Iterator<ClientRecord> oldest = unused.values().iterator();
        for (int i = 0; i < MOST_FORGOTTEN && oldest.hasNext(); i++) {
            ClientRecord record = oldest.next();
            if (!isOld(record)) {
                return;
            }
            oldest.remove();
            Key key = Objects.requireNonNull(record.key); // a record without one is in no table
            evictions.remove(key.user, key);
            onForgotten.accept(record);
        }
    }

    private boolean isOld(ClientRecord record) {
        return scheduler.nanoTime() - record.unusedSince > ttlNanos;
    }

    int size() {
        lock.lock();
        try {
            return used.size() + unused.size();
        } finally {
            lock.unlock();
        }
    }

    /** A record, whether it was there before, and how often it is open now. */
    record Opened(ClientRecord record, boolean known, int uses) {}

    /** Comparable, so that clients that choose ids of one hash code do not make the table slow for all. */
    private record Key(String user, String client) implements Comparable<Key> {
        @Override
        public int compareTo(Key other) {
            int byUser = user.compareTo(other.user);
            return byUser != 0 ? byUser : client.compareTo(other.client);
        }
    }

    /**
     * How far one client has come. Its messages are handled in the mailbox that is kept here, so that they stay in order
     * also when a second session of the client begins while handlers of the first are still at work.
     */
    static final class ClientRecord {
        private final @Nullable Key key;
        private final Mailbox mailbox;
        private final ReentrantLock lock = new ReentrantLock(); // the mailbox's too
        private long received; // guarded by lock
        private volatile long processed; // written in the mailbox
        private long newest; // guarded by lock: the number of the newest connection of the client
        private volatile @Nullable Session session; // written under lock: the client's
        private int uses; // guarded by the table's lock
        private long unusedSince; // guarded by the table's lock

        private ClientRecord(@Nullable Key key, String user, BiFunction<String, ReentrantLock, Mailbox> mailboxes) {
            this.key = key;
            this.mailbox = mailboxes.apply(user, lock);
        }

        Mailbox mailbox() {
            return mailbox;
        }

        /** Returns the client's id; null when it has none. */
        @Nullable
        String client() {
            return key == null ? null : key.client;
        }

        /** Returns whether this is the record of the client with this id. */
        boolean isOf(@Nullable String client) {
            return key == null ? client == null : key.client.equals(client);
        }

        /** What became of a message. */
        enum Receipt {
            ACCEPTED,
            DUPLICATE,
            REFUSED
        }

        /** Takes a message if it is new and the mailbox has room; both or neither. */
        Receipt receive(long seq, BooleanSupplier offer) {
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
         * For a session that ends: drops what the client has sent and no handler has begun with, of all its sessions. It counts
         * as never received: the client sends it again, should it come back. Drops nothing when the client has another session:
         * it does not send again what it sends or has sent there, so that would be lost.
         *
         * @return how many messages it was
         */
        int dropWaiting(Session ending) {
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

        /** In the mailbox: notes that a message is processed. */
        void markProcessed(long seq) {
            processed = Math.max(processed, seq);
        }

        long processed() {
            return processed;
        }

        /** Whether a connection may have the session that it asks for. */
        enum Claim {
            GRANTED,
            /** A newer connection of the client was here before. */
            OVERTAKEN,
            /** The client has another session, and this one is about to end. */
            REPLACED
        }

        /**
         * Notes a connection of the client, which asks for a session. This and {@link #take} are decided under one lock: what
         * ends with the session that was taken over is never a connection that is newer than the one that took it.
         */
        Claim claim(Session wanted, long connection) {
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
         * Makes a session the client's, for one of its connections.
         *
         * @return the session that must go: the one before, null if there is none; the new one itself when a newer
         *     connection of the client was here before
         */
        @Nullable
        Session take(Session newSession, long connection) {
            lock.lock();
            try {
                if (connection < newest) {
                    return newSession;
                }
                newest = connection;
                Session before = session;
                session = newSession;
                return before;
            } finally {
                lock.unlock();
            }
        }

        /** Notes that a session is over. */
        void left(Session ended) {
            lock.lock();
            try {
                if (session == ended) {
                    session = null;
                }
            } finally {
                lock.unlock();
            }
        }

        /** Returns the client's session, or null. */
        @Nullable
        Session session() {
            return session;
        }
    }
}
