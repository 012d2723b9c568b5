package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.room.RoomChannel;
import io.realtime.spi.WireMessage;
import java.util.concurrent.locks.ReentrantLock;

/**
 * How far the messages of a session's client are processed, and how far the client was told so. It acknowledges when a
 * quarter of what may be in flight is processed, by count or by size, or after 100 ms. Guarded by the session's lock:
 * methods take it, unless they assert that the caller holds it.
 */
final class SessionAcks {
    private final SessionContext context;
    private final ServerSession session;
    private final ReentrantLock lock;
    // Messages processed since the last acknowledgement.
    @GuardedBy("lock")
    private int unacknowledged;
    // Bytes of these messages.
    @GuardedBy("lock")
    private long unacknowledgedBytes;
    // The number that the welcome, or a later acknowledgement that the connection took, has named.
    @GuardedBy("lock")
    private long acknowledged;
    // This is among the context's acknowledgements.
    @GuardedBy("lock")
    private boolean isScheduled;

    /** @param lock the session's */
    SessionAcks(SessionContext context, ServerSession session, ReentrantLock lock) {
        this.context = context;
        this.session = session;
        this.lock = lock;
    }

    /** Notes that a message of so many bytes is processed, which this session acknowledges. */
    void processed(int bytes) {
        lock.lock();
        try {
            unacknowledged++;
            unacknowledgedBytes += bytes;
            boolean isDue = unacknowledged >= context.limits().inflight() / 4
                    || unacknowledgedBytes >= context.inflightBytes() / 4;
            if (!isDue) {
                schedule();
                return;
            }
        } finally {
            lock.unlock();
        }
        acknowledge();
    }

    /** Acknowledges within 100 ms, since the client seems to have missed an acknowledgement. */
    void repeat() {
        lock.lock();
        try {
            unacknowledged++;
            schedule();
        } finally {
            lock.unlock();
        }
    }

    /** Schedules an acknowledgement within 100 ms. */
    @GuardedBy("lock")
    private void schedule() {
        if (!isScheduled && !session.hasEnded()) {
            isScheduled = true;
            context.acknowledgements().add(this);
        }
    }

    /** Acknowledges what was processed since the last acknowledgement, if anything was. */
    void due() {
        lock.lock();
        try {
            isScheduled = false;
        } finally {
            lock.unlock();
        }
        acknowledge();
    }

    /** Returns what the welcome of this connection acknowledges. */
    Protocol.Ack welcome(SessionConnection newcomer) {
        lock.lock();
        try {
            Protocol.Ack now = now();
            if (session.connection() == newcomer) {
                unacknowledged = 0;
                unacknowledgedBytes = 0;
                acknowledged = now.seq();
            }
            return now;
        } finally {
            lock.unlock();
        }
    }

    /** Returns how far the messages are processed, and where the answers to them end. */
    Protocol.Ack now() {
        ClientRecords.ClientRecord record = session.record();
        // Read before the inbox, which then has the answers to these messages.
        long seq = record == null ? 0 : record.processed();
        RoomChannel inbox = session.memberships().get(Names.SESSION);
        return new Protocol.Ack(seq, inbox == null ? 0 : inbox.end().offset());
    }

    /** Returns whether the connection has not been told of this yet. The caller holds the lock. */
    @SuppressWarnings("GuardedBy")
    boolean isNews(Protocol.Ack now) {
        assert lock.isHeldByCurrentThread();
        return now.seq() > acknowledged || unacknowledged > 0;
    }

    private void acknowledge() {
        SessionConnection to = session.connection();
        if (to != null) {
            to.whenWelcomed(() -> acknowledge(to));
        }
    }

    /** Acknowledges on this connection, if it is the session's. */
    private void acknowledge(SessionConnection to) {
        Protocol.Ack now;
        lock.lock();
        try {
            if (unacknowledged == 0 || session.connection() != to) {
                return;
            }
            unacknowledged = 0;
            unacknowledgedBytes = 0;
            now = now();
        } finally {
            lock.unlock();
        }
        to.send(frame(now));
        lock.lock();
        try {
            acknowledged = Math.max(acknowledged, now.seq());
        } finally {
            lock.unlock();
        }
    }

    static WireMessage frame(Protocol.Ack now) {
        return Outgoing.of(Protocol.ACK).data(now, Protocol.Ack.class).frame();
    }
}
