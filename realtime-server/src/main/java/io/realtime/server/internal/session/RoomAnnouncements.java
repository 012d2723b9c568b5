package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.CloseReason;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.room.LocalBroker;
import io.realtime.server.internal.room.RoomChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What a session's connection is to be told of its rooms, in the order in which it was decided. Whoever decides adds an
 * announcement under the session's lock, and afterwards calls {@link #send} without it. One thread at a time sends to
 * each connection. What a connection was not told before it was lost, the next welcome tells.
 */
final class RoomAnnouncements {
    /** How many may wait. Beyond that the connection is closed with 4102. */
    private static final int MOST = 10_000;

    private final SessionContext context;
    private final Object session;
    private final ReentrantLock lock;
    // The connection that is told. It stays until the close that ends the session.
    @GuardedBy("lock")
    private @Nullable SessionConnection receiver;
    // The connection may be told.
    @GuardedBy("lock")
    private boolean isWelcomed;
    // The connection that a thread is telling now.
    @GuardedBy("lock")
    private @Nullable SessionConnection sending;

    @GuardedBy("lock")
    private @Nullable Deque<Announcement> waiting;

    /**
     * @param session named in the log
     * @param lock the session's
     */
    RoomAnnouncements(SessionContext context, Object session, ReentrantLock lock) {
        this.context = context;
        this.session = session;
        this.lock = lock;
    }

    /** An announcement, and the changes whose messages are delivered before it. */
    private record Announcement(Deque<LocalBroker.Change> before, Consumer<SessionConnection> what) {
        /**
         * Returns whether something is to be delivered before. If so, {@code proceed} is called later, and calls this
         * again.
         */
        boolean awaitDelivery(Runnable proceed) {
            for (LocalBroker.Change next = before.poll(); next != null; next = before.poll()) {
                if (next.awaitDelivery(proceed)) {
                    return true;
                }
            }
            return false;
        }
    }

    /**
     * Begins anew with a connection; null for none. Nothing is sent before its {@link #welcomed}. The caller holds the
     * lock.
     */
    @SuppressWarnings("GuardedBy")
    void attach(@Nullable SessionConnection connection) {
        assert lock.isHeldByCurrentThread();
        receiver = connection;
        isWelcomed = false;
        sending = null;
        waiting = null;
    }

    /** Notes that the connection was sent its welcome. The caller holds the lock. */
    @SuppressWarnings("GuardedBy")
    void welcomed() {
        assert lock.isHeldByCurrentThread();
        isWelcomed = true;
    }

    /** Returns whether the connection was sent its welcome. The caller holds the lock. */
    @SuppressWarnings("GuardedBy")
    boolean isWelcomed() {
        assert lock.isHeldByCurrentThread();
        return isWelcomed;
    }

    /**
     * Adds an announcement for this connection. The caller holds the lock.
     *
     * @param before changes whose remaining messages the session gets first
     */
    @SuppressWarnings("GuardedBy")
    void add(SessionConnection to, List<? extends LocalBroker.Change> before, Consumer<SessionConnection> what) {
        assert lock.isHeldByCurrentThread();
        if (waiting == null) {
            waiting = new ArrayDeque<>();
        }
        if (waiting.size() >= MOST) {
            waiting.clear();
            CloseReason slow =
                    new CloseReason(CloseReason.SLOW_CONSUMER, "reads more slowly than it joins and leaves rooms");
            // Closing sends. This thread holds the lock, so it must not send, nor must the timer's thread.
            context.scheduler().schedule(Duration.ZERO, () -> context.workers().execute(() -> to.close(slow)));
        }
        waiting.add(new Announcement(new ArrayDeque<>(before), what));
    }

    /**
     * Announces a join, in the reply to {@code ref} or, when that is null, in {@code $joined}. The delivery begins after
     * it. The caller holds the lock.
     */
    void addJoined(SessionConnection to, LocalBroker.JoinChange joined, @Nullable String ref) {
        add(to, List.of(joined), connection -> {
            Protocol.RoomPosition at = joined.at();
            Protocol.JoinReply data = new Protocol.JoinReply(
                    at.epoch(),
                    at.offset(),
                    at.recovered(),
                    at.reason(),
                    joined.room().size());
            Outgoing frame = ref == null
                    ? Outgoing.of(Protocol.JOINED)
                    : Outgoing.of(Protocol.REPLY).ref(ref);
            frame.room(joined.room().name).data(data, Protocol.JoinReply.class);
            connection.send(frame.frame(), joined::start);
        });
    }

    /** Announces a leave, in {@code $left}, with a reason or null. The caller holds the lock. */
    void addLeft(SessionConnection to, LocalBroker.LeaveChange left, @Nullable String reason) {
        add(to, List.of(left), connection -> {
            RoomChannel room = left.room();
            Protocol.LeaveReply data = new Protocol.LeaveReply(room.epoch, left.link().until, reason);
            connection.send(Outgoing.of(Protocol.LEFT)
                    .room(room.name)
                    .data(data, Protocol.LeaveReply.class)
                    .frame());
        });
    }

    /** Sends what waits. Does nothing when another thread does so already, or before the welcome. */
    void send() {
        SessionConnection to;
        lock.lock();
        try {
            to = receiver;
            if (to == null || to == sending || !isWelcomed || waiting == null) {
                return;
            }
            sending = to;
        } finally {
            lock.unlock();
        }
        send(to, null);
    }

    /**
     * Sends what waits; one thread at a time for each connection. Continues later when the connection is not drained, or
     * when a room has something to deliver first.
     */
    private void send(SessionConnection to, @Nullable Announcement unfinished) {
        try {
            Announcement next = unfinished;
            while (next != null || (hasNext(to) && !to.awaitDrained(() -> send(to, null)))) {
                Announcement announcement = next == null ? next(to) : next;
                if (announcement != null) {
                    if (announcement.awaitDelivery(() -> send(to, announcement))) {
                        return;
                    }
                    announcement.what.accept(to);
                }
                next = null;
            }
        } catch (Throwable broken) {
            // For example out of memory. The welcome of the next connection tells all.
            Steps.log(context.log(), session + " could not be told of a room", broken);
            to.close(new CloseReason(CloseReason.INTERNAL_ERROR, "internal error"));
        }
    }

    private boolean hasNext(SessionConnection to) {
        lock.lock();
        try {
            if (receiver != to) {
                // The rest belongs to the next connection.
                return false;
            }
            if (waiting == null || waiting.isEmpty()) {
                waiting = null;
                sending = null;
            }
            return waiting != null;
        } finally {
            lock.unlock();
        }
    }

    private @Nullable Announcement next(SessionConnection to) {
        lock.lock();
        try {
            return receiver != to || waiting == null ? null : waiting.poll();
        } finally {
            lock.unlock();
        }
    }
}
