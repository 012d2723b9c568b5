package io.realtime.server.internal.room;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import io.realtime.server.internal.room.Members.MemberLink;
import io.realtime.server.internal.stats.Counters;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The delivery of a room's messages to its members. A publisher adds its message to the pending batch under the room's
 * lock. The first publisher that finds no flush in progress becomes the flusher: it hands batch after batch to the
 * members, outside the lock. So delivery order is log order, an idle room delivers at once, and a busy one delivers
 * ever larger batches.
 *
 * <p>A flusher hands out everything that was pending when it began, and a bounded amount of what others publish
 * meanwhile. Then it passes the flush on: to a publisher that waits because too much is pending, or to the executor.
 *
 * <p>No frame is sent under the room's lock.
 */
final class FanOut {
    private static final Logger LOG = LoggerFactory.getLogger(FanOut.class);
    private static final int MAX_WAITING_BYTES = 1 << 20;
    // The cost of a delivery that waits, besides its frames.
    private static final int DELIVERY = 128;
    private static final int REFERENCE = 4;
    private static final long[] NO_SKIPS = new long[0];

    /** After this many sends a flusher stops delivering what others publish. Each KiB of a send counts as one more. */
    private static final int MOST_FOR_OTHERS = 1_000;

    private final String room;
    private final Members members;
    private final Executor executor;
    private final int mostBatchBytes;
    private final Counters counters;
    private final ReentrantLock lock;
    private final Condition flushed;
    private final Runnable caughtUp = this::caughtUp;

    @GuardedBy("lock")
    private List<WireMessage> pending = new ArrayList<>(0);
    // Of the pending batch: which member is not to receive which message.
    @GuardedBy("lock")
    private long[] skips = NO_SKIPS;
    // How many elements of skips are used.
    @GuardedBy("lock")
    private int skipped;

    @GuardedBy("lock")
    private boolean pendingEphemeral;
    // The size of the pending batch.
    @GuardedBy("lock")
    private int batchBytes;
    // The size of all deliveries. The pending batch is small beside them and not included.
    @GuardedBy("lock")
    private long waitingBytes;

    @GuardedBy("lock")
    private final ArrayDeque<Delivery> deliveries = new ArrayDeque<>(0);

    @GuardedBy("lock")
    private boolean flushing;
    // Used by the flusher alone, without the lock.
    private Delivery current = Delivery.NONE;
    // How many of the current delivery's targets are done. Used by the flusher alone.
    private int handedTo;

    /**
     * Creates the delivery to these members.
     *
     * @param executor runs flushes that no publisher continues; may reject
     * @param mostBatchBytes how many bytes are sent at once, unless a single message is longer
     * @param lock the room's lock
     */
    FanOut(String room, Members members, Executor executor, int mostBatchBytes, Counters counters, ReentrantLock lock) {
        this.room = room;
        this.members = members;
        this.executor = executor;
        this.mostBatchBytes = mostBatchBytes;
        this.counters = counters;
        this.lock = lock;
        this.flushed = lock.newCondition();
    }

    // ---------------------------------------------------------------- with the lock held

    /**
     * Waits until the pending messages are within their bound, or flushes them if no other thread does. Releases the
     * lock meanwhile. Then {@link #live} needs no memory until the members change.
     */
    @SuppressWarnings("GuardedBy")
    void awaitRoom() {
        assert lock.isHeldByCurrentThread();
        while (waitingBytes > MAX_WAITING_BYTES) {
            if (flushing) {
                flushed.awaitUninterruptibly();
                continue;
            }
            lock.unlock();
            try {
                flush();
            } finally {
                lock.lock();
            }
        }
        members.live();
    }

    /** Returns the members that are live now. */
    MemberLink[] live() {
        assert lock.isHeldByCurrentThread();
        return members.live();
    }

    /** Adds a message for the members that are live now. If it throws, for example out of memory, some lack the message. */
    @SuppressWarnings("GuardedBy")
    void add(WireMessage frame, boolean ephemeral, Audience audience) {
        assert lock.isHeldByCurrentThread();
        if (members.live().length == 0) {
            return;
        }
        Set<String> except = audience.allBut();
        if (except == null) {
            MemberLink[] targets = targets(audience.only());
            if (targets.length > 0) {
                closeBatch();
                MessageBatch alone = MessageBatch.of(Collections.singletonList(frame), ephemeral);
                deliver(new Delivery(alone, targets, audience, NO_SKIPS));
            }
            return;
        }
        boolean isFull = batchBytes + frame.length() > mostBatchBytes;
        if (!pending.isEmpty() && (isFull || pendingEphemeral != ephemeral)) {
            closeBatch();
        }
        for (String session : except) {
            MemberLink link = members.get(session);
            if (link != null && link.phase == Members.MemberPhase.LIVE) {
                if (skipped == skips.length) {
                    skips = Arrays.copyOf(skips, Math.max(4, 2 * skipped));
                }
                skips[skipped++] = Delivery.skip(link.place, pending.size());
                // A member that gets a batch of its own costs about as much as a delivery.
                batchBytes += DELIVERY;
            }
        }
        pending.add(frame);
        pendingEphemeral = ephemeral;
        batchBytes += frame.length();
    }

    /** Returns the live members, or those of them that have one of these ids, in the same order. */
    private MemberLink[] targets(@Nullable Set<String> ids) {
        MemberLink[] live = members.live();
        return ids == null
                ? live
                : ids.stream()
                        .map(members::get)
                        .filter(link -> link != null && link.phase == Members.MemberPhase.LIVE)
                        .sorted(Comparator.comparingInt(link -> link.place))
                        .toArray(MemberLink[]::new);
    }

    /** Binds the pending batch to the members that are live now. Call it before a change of the live members. */
    @SuppressWarnings("GuardedBy")
    void closeBatch() {
        assert lock.isHeldByCurrentThread();
        if (!pending.isEmpty()) {
            long[] left = skipped == 0 ? NO_SKIPS : Arrays.copyOf(skips, skipped);
            // Before the delivery: an error between them would deliver the batch twice.
            List<WireMessage> next = new ArrayList<>(0);
            deliver(new Delivery(MessageBatch.of(pending, pendingEphemeral), members.live(), null, left));
            pending = next;
            skips = NO_SKIPS;
            skipped = 0;
            batchBytes = 0;
        }
    }

    @GuardedBy("lock")
    private void deliver(Delivery delivery) {
        Delivery before = deliveries.peekLast();
        boolean isShared = before != null && before.targets == delivery.targets;
        delivery.weight += isShared ? 0 : REFERENCE * (long) delivery.targets.length;
        deliveries.add(delivery);
        waitingBytes += delivery.weight;
    }

    // ---------------------------------------------------------------- without the lock

    /** Delivers what is pending. If another thread is flushing, returns at once: that thread delivers it. */
    void flush() {
        do {
            int owed;
            lock.lock();
            try {
                if (flushing) {
                    return;
                }
                flushing = true;
                owed = deliveries.size() + (pending.isEmpty() ? 0 : 1) + (handedTo < current.targets.length ? 1 : 0);
            } finally {
                lock.unlock();
            }
            if (!isLeftOver(owed)) {
                return;
            }
        } while (!handOver());
    }

    /**
     * Flushes, and returns whether another thread or a transport that lags is still busy with what was pending. If
     * true, {@code proceed} is called after that, by the executor. If false, it is not called.
     */
    boolean awaitDelivery(Runnable proceed) {
        flush();
        lock.lock();
        try {
            closeBatch();
            if (!flushing && deliveries.isEmpty() && handedTo >= current.targets.length) {
                return false;
            }
            deliver(new Delivery(proceed));
        } finally {
            lock.unlock();
        }
        // The delivery may have been left for another thread that has not begun to flush.
        flush();
        return true;
    }

    /**
     * Flushes this many deliveries, and some of what is published meanwhile. Returns true if the rest is left for
     * another thread.
     */
    private boolean isLeftOver(int owed) {
        boolean isFlusher = true;
        try {
            long forOthers = 0;
            for (int given = 1; nextDelivery(); given++) {
                if (!handOut()) {
                    // Another thread may use the flusher's fields from here on.
                    isFlusher = false;
                    return false;
                }
                forOthers += given > owed ? current.sends() : 0;
                if (forOthers >= MOST_FOR_OTHERS) {
                    isFlusher = false;
                    return release();
                }
            }
            isFlusher = false;
            return false;
        } finally {
            if (isFlusher) {
                // An error must not stop all later flushes.
                release();
            }
        }
    }

    /** Ends this thread's flush, so that another can begin. Returns whether something is left to flush. */
    private boolean release() {
        lock.lock();
        try {
            flushing = false;
            flushed.signalAll();
            return !deliveries.isEmpty() || !pending.isEmpty() || handedTo < current.targets.length;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Hands the current delivery to its targets. Returns false if it was suspended because a transport lags; {@link
     * #caughtUp()} resumes it.
     */
    private boolean handOut() {
        Delivery delivery = current;
        MemberLink[] targets = delivery.targets;
        // Added up here, so that counting costs the same for any number of members.
        long messages = 0;
        long bytes = 0;
        for (int at = handedTo; at < targets.length; at++) {
            MemberLink target = targets[at];
            try {
                MessageBatch batch = delivery.batchFor(target, at);
                if (batch == null) {
                    continue;
                }
                MemberConnection outlet = target.outlet;
                handedTo = at;
                if (outlet.awaitWritable(caughtUp)) {
                    // The flush stays in progress although no thread runs it.
                    counters.sent(messages, bytes);
                    return false;
                }
                outlet.send(batch);
                if (outlet != MemberLink.NOWHERE) {
                    messages += batch.frames().size();
                    bytes += batch.bytes();
                }
            } catch (Throwable broken) {
                // For example out of memory. A failure for one member must not stop the room, and that member must not
                // continue without the message.
                target.outlet.abort();
                Steps.log(LOG, "a member of room " + room + " could not be sent to", broken);
            }
        }
        counters.sent(messages, bytes);
        handedTo = targets.length;
        if (delivery.behind != null) {
            proceed(delivery.behind);
        }
        return true;
    }

    private void proceed(Runnable task) {
        try {
            executor.execute(task);
        } catch (Throwable rejected) {
            LOG.debug("room {}: the executor takes no more", room, rejected);
            task.run();
        }
    }

    /**
     * Resumes the flush that was suspended because a member's transport lagged: on a waiting publisher, or on the
     * executor.
     */
    private void caughtUp() {
        release();
        if (!handOver()) {
            flush();
        }
    }

    /** Submits a flush to the executor. Returns false if the executor does not run it; then this thread must flush. */
    private boolean handOver() {
        HandOver task = new HandOver(Thread.currentThread());
        try {
            executor.execute(task);
        } catch (Throwable rejected) {
            // The executor is full, has stopped, or gets no thread.
            LOG.debug("room {} is flushed by its publisher: the executor takes no more", room, rejected);
            return false;
        }
        task.isAccepted = true;
        return !task.isOwn;
    }

    /**
     * A flush for the executor. It detects an executor that runs it on the caller, inside the flush that it continues,
     * and does nothing then.
     */
    private final class HandOver implements Runnable {
        private final Thread from;
        // Used by the thread that submits the task, as is isOwn.
        private boolean isAccepted;
        private boolean isOwn;

        HandOver(Thread from) {
            this.from = from;
        }

        @Override
        public void run() {
            if (Thread.currentThread() == from && !isAccepted) {
                isOwn = true;
            } else {
                flush();
            }
        }
    }

    /**
     * Makes the next delivery the current one if the current one was handed to all targets. Returns false if none is
     * left.
     */
    private boolean nextDelivery() {
        if (handedTo < current.targets.length) {
            return true;
        }
        lock.lock();
        try {
            if (deliveries.isEmpty()) {
                closeBatch();
            }
            Delivery next = deliveries.poll();
            current = next == null ? Delivery.NONE : next;
            handedTo = 0;
            flushing = next != null;
            waitingBytes -= current.weight;
            if (waitingBytes <= MAX_WAITING_BYTES) {
                flushed.signalAll();
            }
            return flushing;
        } finally {
            lock.unlock();
        }
    }

    /**
     * A batch and its targets. Some targets may receive it without some messages, or not at all. A delivery without
     * targets holds a task that runs when its turn comes.
     */
    private static final class Delivery {
        static final Delivery NONE = new Delivery(MessageBatch.of(List.of(), false), Members.NOBODY, null, NO_SKIPS);

        final MemberLink[] targets;
        private final MessageBatch batch;
        // Null if all targets receive the batch, apart from the skips.
        private final @Nullable Audience audience;
        // In ascending order.
        private final long[] skips;
        // Runs after the delivery was handed out.
        private @Nullable Runnable behind;
        private long weight;
        // The index of the next skip. Used by the flusher alone.
        private int next;

        Delivery(MessageBatch batch, MemberLink[] targets, @Nullable Audience audience, long[] skips) {
            this.batch = batch;
            this.targets = targets;
            this.audience = audience;
            this.skips = skips;
            this.weight = DELIVERY + batch.bytes() + 8L * skips.length + (audience == null ? 0 : audience.weight());
            Arrays.sort(skips);
        }

        Delivery(Runnable behind) {
            this(NONE.batch, Members.NOBODY, null, NO_SKIPS);
            this.behind = behind;
        }

        /** Returns the entry that excludes one target from one message. */
        static long skip(int place, int message) {
            return (long) place << 32 | message;
        }

        long sends() {
            return targets.length * (1L + batch.bytes() / 1024);
        }

        /**
         * Returns the batch that a target receives, or null for nothing. Call it in the order of the targets; it may be
         * called again for the same target after a pause.
         */
        @Nullable
        MessageBatch batchFor(MemberLink target, int place) {
            if (audience != null) {
                return audience.includes(target.session, target) ? batch : null;
            }
            while (next < skips.length && skips[next] < skip(place, 0)) {
                next++;
            }
            return next < skips.length && skips[next] < skip(place + 1, 0) ? without(place) : batch;
        }

        private @Nullable MessageBatch without(int place) {
            List<WireMessage> rest = new ArrayList<>(batch.frames().size());
            int at = next;
            for (int i = 0; i < batch.frames().size(); i++) {
                if (at < skips.length && skips[at] == skip(place, i)) {
                    at++;
                } else {
                    rest.add(batch.frames().get(i));
                }
            }
            return rest.isEmpty() ? null : MessageBatch.of(rest, batch.isEphemeral());
        }
    }
}
