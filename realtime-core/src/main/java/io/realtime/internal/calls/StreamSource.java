package io.realtime.internal.calls;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.StreamSink;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Payload;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The producing end of a stream. No frame is sent and no code of the application runs while its lock is held. Instead a
 * sender has the turn, so that items keep their order.
 */
public final class StreamSource<T> implements StreamSink<T> {
    /** The connection to the receiver of the stream. */
    public interface Receiver {
        /**
         * Returns whether there is room for an item; {@link StreamSource#roomAgain} signals when there is room again.
         */
        boolean hasRoom();

        /** Sends an item; if it throws, the stream ends. */
        void item(long index, String json);

        /** Sends the end after so many items, or an error. The stream is over, and is removed. */
        void over(long count, @Nullable ErrorData error);

        /** Reports a failure whose details the receiver does not get. */
        void report(Throwable failure);
    }

    /** A producer of items, which may block. */
    @FunctionalInterface
    public interface Producer<T> {
        /** Sends all items, then returns. */
        void produce(StreamSink<T> out) throws Exception;
    }

    private final Payload items;
    private final Receiver outlet;
    private final Executor executor;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    @GuardedBy("lock")
    private long granted = StreamCall.WINDOW;

    @GuardedBy("lock")
    private long sent;
    // The items that the reader has handled, according to its credit.
    @GuardedBy("lock")
    private long handled;
    // The characters of each item from handled to sent.
    @GuardedBy("lock")
    private final int[] lengths = new int[StreamCall.WINDOW];
    // The sum of lengths.
    @GuardedBy("lock")
    private long underWay;
    // The grants that were progress, at most one for each item.
    @GuardedBy("lock")
    private long grants;
    // A sender has the turn.
    @GuardedBy("lock")
    private boolean sending;
    // Nothing more is sent.
    @GuardedBy("lock")
    private boolean over;

    @GuardedBy("lock")
    private boolean cancelled;
    // The thread on which the producer may wait.
    @GuardedBy("lock")
    private @Nullable Thread worker;

    @GuardedBy("lock")
    private @Nullable Runnable onReady;
    // The producer was told to wait, so onReady must run.
    @GuardedBy("lock")
    private boolean owesReady;
    // True while onReady runs, or will run soon.
    @GuardedBy("lock")
    private boolean running;

    /**
     * Creates the producing end.
     *
     * @param executor runs the task of {@link #onReady}, and sends the last frame of a stream that is cancelled
     */
    public StreamSource(Payload items, Receiver outlet, Executor executor) {
        this.items = items;
        this.outlet = outlet;
        this.executor = executor;
    }

    /** Runs a producer on the calling thread until it returns. The thread is interrupted if the stream is cancelled. */
    public void run(Producer<T> producer) {
        lock.lock();
        try {
            if (over) {
                return;
            }
            worker = Thread.currentThread();
        } finally {
            lock.unlock();
        }
        Throwable failure = null;
        try {
            producer.produce(this);
        } catch (Throwable thrown) {
            // It is the application's code; even an Error ends only this stream.
            failure = thrown;
        }
        lock.lock();
        try {
            worker = null;
            if (cancelled) {
                Thread.interrupted(); // the interrupt was meant for the producer
            }
        } finally {
            lock.unlock();
        }
        if (failure == null) {
            end();
        } else {
            fail(failure);
        }
    }

    @Override
    public void send(T item) {
        String json = items.write(item);
        long number;
        lock.lock();
        try {
            while (!over && !mayTakeTurn()) {
                changed.await();
            }
            requireOpen();
            sending = true;
            number = sent;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new RealtimeException(ErrorCode.CANCELLED, "interrupted while it waited for the receiver");
        } finally {
            lock.unlock();
        }
        sendInTurn(number, json);
    }

    @Override
    public boolean offer(T item) {
        String json = items.write(item);
        long number;
        lock.lock();
        try {
            while (sending && !over) {
                changed.awaitUninterruptibly();
            }
            if (cancelled) {
                return false;
            }
            requireOpen();
            if (!mayTakeTurn()) {
                owesReady = true;
                return false;
            }
            sending = true;
            number = sent;
        } finally {
            lock.unlock();
        }
        sendInTurn(number, json);
        return true;
    }

    private void sendInTurn(long number, String json) {
        boolean isSent = false;
        ErrorData error = ErrorData.of(ErrorCode.INTERNAL, "the stream failed", false);
        try {
            outlet.item(number, json);
            isSent = true;
        } catch (RealtimeException refused) {
            error = ErrorData.of(refused);
            throw refused;
        } finally {
            // Even an Error must give the turn back, because the end of the stream waits for it.
            // After a failed item the stream ends, because the receiver must not take a later item for this one.
            if (isEndAfterTurn(json.length(), isSent)) {
                outlet.over(number + 1, error);
            }
        }
    }

    /** Gives the turn back; returns whether this ended the stream. */
    private boolean isEndAfterTurn(int length, boolean isSent) {
        lock.lock();
        try {
            lengths[(int) (sent % lengths.length)] = length; // no more are in flight
            underWay += length;
            sent++;
            forgetHandled();
            sending = false;
            boolean isEnd = !isSent && !over;
            over |= isEnd;
            owesReady |= onReady != null && !over && !hasCredit();
            changed.signalAll();
            return isEnd;
        } finally {
            lock.unlock();
        }
    }

    @GuardedBy("lock")
    private boolean mayTakeTurn() {
        return !sending && hasCredit();
    }

    @GuardedBy("lock")
    private boolean hasCredit() {
        return sent < granted && underWay < StreamCall.WINDOW_LENGTH && outlet.hasRoom();
    }

    /**
     * Advances handled: the reader has handled all but the last {@link StreamCall#WINDOW} of the items that it granted.
     */
    @GuardedBy("lock")
    private void forgetHandled() {
        for (long upTo = Math.min(sent, granted - lengths.length); handled < upTo; handled++) {
            underWay -= lengths[(int) (handled % lengths.length)];
        }
    }

    @GuardedBy("lock")
    private void requireOpen() {
        if (cancelled) {
            throw new RealtimeException(ErrorCode.CANCELLED, "the stream was cancelled");
        }
        if (over) {
            throw new RealtimeException(ErrorCode.CLOSED, "the stream has ended");
        }
    }

    @Override
    public boolean isReady() {
        lock.lock();
        try {
            boolean isReady = !over && hasCredit();
            // A producer that asks before it offers must also get onReady.
            owesReady |= !over && !isReady;
            return isReady;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void onReady(Runnable task) {
        lock.lock();
        try {
            onReady = task;
            owesReady = true;
        } finally {
            lock.unlock();
        }
        tellReady();
    }

    @Override
    public boolean isCancelled() {
        lock.lock();
        try {
            return cancelled;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void end() {
        finish(null);
    }

    @Override
    public void fail(Throwable cause) {
        if (isCancelled()) {
            return; // the failure may result from the interrupt
        }
        ErrorData refusal = ErrorData.refusal(cause);
        if (refusal != null) {
            finish(refusal);
        } else {
            try {
                finish(ErrorData.of(ErrorCode.INTERNAL, "the stream failed", false));
            } finally {
                outlet.report(cause);
            }
        }
    }

    private void finish(@Nullable ErrorData error) {
        long count;
        lock.lock();
        try {
            while (sending) {
                changed.awaitUninterruptibly();
            }
            if (over) {
                return;
            }
            over = true;
            count = sent;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        outlet.over(count, error);
    }

    /**
     * Sets how many items the receiver accepts in all. Returns false if that is not more than before, or if there were
     * already as many grants as items: a peer that repeats small grants causes work without progress. Runs no code of
     * the application.
     */
    public boolean granted(long upTo) {
        boolean isProgress;
        lock.lock();
        try {
            if (upTo <= granted) {
                return false;
            }
            granted = upTo;
            forgetHandled();
            isProgress = grants < sent;
            grants += isProgress ? 1 : 0;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        tellReady();
        return isProgress;
    }

    /**
     * Returns how many more grants may arrive, from a receiver that grants once for each item and does not know of the
     * end.
     */
    long unusedGrants() {
        lock.lock();
        try {
            return Math.min(StreamCall.WINDOW, sent - grants);
        } finally {
            lock.unlock();
        }
    }

    /** Signals that there may be room again. */
    public void roomAgain() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        tellReady();
    }

    /** Cancels the stream: interrupts and wakes the producer, and sends the end. */
    public void cancel() {
        abort(ErrorData.of(ErrorCode.CANCELLED, "cancelled", false));
    }

    /** Cancels the stream as {@link #cancel} does, and tells the receiver the reason. */
    public void abort(ErrorData why) {
        lock.lock();
        try {
            if (over) {
                return;
            }
            over = true;
            cancelled = true;
            owesReady = true;
            changed.signalAll();
            if (worker != null) {
                worker.interrupt();
            }
        } finally {
            lock.unlock();
        }
        executor.execute(() -> outlet.over(0, why));
        tellReady();
    }

    private void tellReady() {
        lock.lock();
        try {
            if (running || !isReadyOwed()) {
                return;
            }
            running = true;
        } finally {
            lock.unlock();
        }
        executor.execute(this::runReady);
    }

    @GuardedBy("lock")
    private boolean isReadyOwed() {
        return onReady != null && owesReady && (cancelled || (!over && hasCredit()));
    }

    private void runReady() {
        while (true) {
            Runnable task;
            lock.lock();
            try {
                task = onReady;
                if (task == null || !isReadyOwed()) {
                    running = false;
                    return;
                }
                owesReady = false;
            } finally {
                lock.unlock();
            }
            try {
                task.run();
            } catch (Throwable failure) {
                // It is the application's code; even an Error ends only this stream.
                fail(failure);
            }
        }
    }
}
