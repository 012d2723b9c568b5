package io.realtime.server;

import io.realtime.internal.Steps;
import io.realtime.server.Members.MemberLink;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The way of a room's messages to its members. A publisher adds to the pending batch under the room's lock; the first that
 * finds no flush in progress becomes the flusher and hands batch after batch to the members, outside the lock. So delivery
 * order is log order, an idle room delivers at once, and a busy one delivers ever larger batches.
 *
 * <p>A flusher hands out all that was pending when it began, and of what others publish meanwhile a bounded amount. Then
 * it hands over: to a publisher that is held because too much is pending, or to the executor.
 *
 * <p>Guarded by the room's lock unless said otherwise. No frame is sent under it.
 */
final class FanOut {
    private static final Logger LOG = LoggerFactory.getLogger(FanOut.class);
    private static final int MAX_WAITING_BYTES = 1 << 20;
    private static final int DELIVERY = 128; // what one that waits costs, beside its frames
    private static final int REFERENCE = 4;
    private static final long[] NO_SKIPS = new long[0];

    /** After how many sends, each KiB of a send counting as one more, a flusher works for others no longer. */
    private static final int MOST_FOR_OTHERS = 1_000;

    private final String room;
    private final Members members;
    private final Executor executor;
    private final int mostBatchBytes;
    private final ReentrantLock lock;
    private final Condition flushed;
    private final Runnable caughtUp = this::caughtUp;

    private List<WireMessage> pending = new ArrayList<>(0);
    private long[] skips = NO_SKIPS; // of the pending batch: who is not to receive which of its messages
    private int skipped; // how many of them there are
    private boolean pendingEphemeral;
    private int batchBytes; // of the pending batch
    private long waitingBytes; // of all deliveries; what the pending batch holds is little beside it
    private final ArrayDeque<Delivery> deliveries = new ArrayDeque<>(0);
    private boolean flushing;
    private Delivery current = Delivery.NONE; // the flusher's, without the lock
    private int handedTo; // the flusher's; to how many of the current delivery's targets

    /**
     * The way to these members.
     *
     * @param executor of flushes that nobody else has taken; may reject
     * @param mostBatchBytes how much leaves at once, unless one message is longer
     * @param lock the room's
     */
    FanOut(String room, Members members, Executor executor, int mostBatchBytes, ReentrantLock lock) {
        this.room = room;
        this.members = members;
        this.executor = executor;
        this.mostBatchBytes = mostBatchBytes;
        this.lock = lock;
        this.flushed = lock.newCondition();
    }

    // ---------------------------------------------------------------- under the lock

    /**
     * Holds a publisher that is faster than the flush, or has it flush itself: what is pending is bounded. Gives the lock
     * away meanwhile.
     */
    void awaitRoom() {
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
    }

    /** Adds a message for those members who are live now. */
    void add(WireMessage frame, boolean ephemeral, Audience audience, List<Session> except) {
        if (members.live().length == 0) {
            return;
        }
        if (audience instanceof Audience.Only some) {
            closeBatch();
            MessageBatch alone = MessageBatch.of(Collections.singletonList(frame), ephemeral);
            deliver(new Delivery(alone, members.live(), some, NO_SKIPS));
            return;
        }
        boolean isFull = batchBytes + frame.length() > mostBatchBytes;
        if (!pending.isEmpty() && (isFull || pendingEphemeral != ephemeral)) {
            closeBatch();
        }
        for (Session session : except) {
            MemberLink link = members.get(session);
            if (link != null && link.phase == Members.MemberPhase.LIVE) {
                if (skipped == skips.length) {
                    skips = Arrays.copyOf(skips, Math.max(4, 2 * skipped));
                }
                skips[skipped++] = Delivery.skip(link.place, pending.size());
                batchBytes += DELIVERY; // a member that gets another batch costs one
            }
        }
        pending.add(frame);
        pendingEphemeral = ephemeral;
        batchBytes += frame.length();
    }

    /** Binds the pending batch to those who are live now; before anything that changes who that is. */
    void closeBatch() {
        if (!pending.isEmpty()) {
            long[] left = skipped == 0 ? NO_SKIPS : Arrays.copyOf(skips, skipped);
            deliver(new Delivery(MessageBatch.of(pending, pendingEphemeral), members.live(), null, left));
            pending = new ArrayList<>(0);
            skips = NO_SKIPS;
            skipped = 0;
            batchBytes = 0;
        }
    }

    private void deliver(Delivery delivery) {
        Delivery before = deliveries.peekLast();
        boolean isShared = before != null && before.targets == delivery.targets;
        delivery.weight += isShared ? 0 : REFERENCE * (long) delivery.targets.length;
        deliveries.add(delivery);
        waitingBytes += delivery.weight;
    }

    // ---------------------------------------------------------------- without the lock

    /** Hands over what is pending, unless another thread is at it: that one then takes ours too. */
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
     * Flushes, and returns whether another thread, or a transport that lags, is still at what was pending; then {@code
     * proceed} is called behind that, by the executor.
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
        flush(); // it may be left over for a thread that has not come yet
        return true;
    }

    /** Flushes so many deliveries and some of what has come meanwhile; returns whether more is left for another thread. */
    private boolean isLeftOver(int owed) {
        boolean isFlusher = true;
        try {
            long forOthers = 0;
            for (int given = 1; nextDelivery(); given++) {
                if (!handOut()) {
                    isFlusher = false; // and the flusher's fields may be another's now
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
            if (isFlusher) { // an error must not end all flushes
                release();
            }
        }
    }

    /** Lets another flush; returns whether there is something to flush. */
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

    /** Hands the current delivery to its targets; false when a transport lags, and says when to go on. */
    private boolean handOut() {
        Delivery delivery = current;
        MemberLink[] targets = delivery.targets;
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
                    return false; // still flushing, though no thread is at it
                }
                outlet.send(batch);
            } catch (Throwable broken) { // out of memory, say: what fails for one member must not stop the room
                target.outlet.abort(); // nor may that member go on without it
                Steps.log(LOG, "a member of room " + room + " could not be sent to", broken);
            }
        }
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

    /** Resumes the flush that waited for a member's transport: on a publisher that waits for it, or on the executor. */
    private void caughtUp() {
        release();
        if (!handOver()) {
            flush();
        }
    }

    /** Has the executor flush; false when it does not, and this thread has to. */
    private boolean handOver() {
        HandOver task = new HandOver(Thread.currentThread());
        try {
            executor.execute(task);
        } catch (Throwable rejected) { // it is full, has stopped, or gets no thread
            LOG.debug("room {} is flushed by its publisher: the executor takes no more", room, rejected);
            return false;
        }
        task.isAccepted = true;
        return !task.isOwn;
    }

    /** A flush for the executor, which must not run it inside the flush that it follows. */
    private final class HandOver implements Runnable {
        private final Thread from;
        private boolean isAccepted; // the thread's that hands over, as is the next
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

    /** Makes the next delivery the current one, once that was handed to all; false when none is left. */
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

    /** A batch and who receives it; some may receive it without some messages, or not at all. Or what runs in its turn. */
    private static final class Delivery {
        static final Delivery NONE = new Delivery(MessageBatch.of(List.of(), false), Members.NOBODY, null, NO_SKIPS);

        final MemberLink[] targets;
        private final MessageBatch batch;
        private final Audience.@Nullable Only only;
        private final long[] skips; // in order
        private @Nullable Runnable behind; // runs when it was handed out
        private long weight;
        private int next; // the flusher's: of the skips

        Delivery(MessageBatch batch, MemberLink[] targets, Audience.@Nullable Only only, long[] skips) {
            this.batch = batch;
            this.targets = targets;
            this.only = only;
            this.skips = skips;
            this.weight = DELIVERY + batch.bytes() + 8L * skips.length + (only == null ? 0 : only.weight());
            Arrays.sort(skips);
        }

        Delivery(Runnable behind) {
            this(NONE.batch, Members.NOBODY, null, NO_SKIPS);
            this.behind = behind;
        }

        /** Says that a target does not receive one of the messages. */
        static long skip(int place, int message) {
            return (long) place << 32 | message;
        }

        long sends() {
            return targets.length * (1L + batch.bytes() / 1024);
        }

        /** Returns what a target receives; null for nothing. Asked in the order of the targets, again after a pause. */
        @Nullable
        MessageBatch batchFor(MemberLink target, int place) {
            if (only != null) {
                return only.includes(target) ? batch : null;
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
