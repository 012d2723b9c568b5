package io.realtime.internal.calls;

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
 * The producing end of a stream. Nothing is sent and nothing of the application runs under its lock; whoever sends has
 * the turn meanwhile, so that items keep their order.
 */
public final class StreamSource<T> implements StreamSink<T> {
    /** The way to whoever asked. */
    public interface Receiver {
        /** Whether there is room for an item; {@link StreamSource#roomAgain} tells when there is again. */
        boolean hasRoom();

        /** Sends an item; when that fails the stream ends. */
        void item(long index, String json);

        /** Sends the end behind so many items, or an error. The stream is over, and known to nobody any more. */
        void over(long count, @Nullable ErrorData error);

        /** Notes a failure that is none of the receiver's business. */
        void report(Throwable failure);
    }

    /** What produces the items, and may wait while it does. */
    @FunctionalInterface
    public interface Producer<T> {
        /** Returns when all items were sent. */
        void produce(StreamSink<T> out) throws Exception;
    }

    private final Payload items;
    private final Receiver outlet;
    private final Executor executor;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    private long granted = StreamCall.WINDOW; // guarded by lock
    private long sent; // guarded by lock
    private long handled; // guarded by lock: items that the reader is done with, as far as its credit says
    private final int[] lengths = new int[StreamCall.WINDOW]; // guarded by lock: of the items from handled to sent
    private long underWay; // guarded by lock: characters of these
    private long grants; // guarded by lock: those that were progress, at most one for each item
    private boolean sending; // guarded by lock: somebody has the turn
    private boolean over; // guarded by lock: nothing more is sent
    private boolean cancelled; // guarded by lock
    private @Nullable Thread worker; // guarded by lock: where a producer waits
    private @Nullable Runnable onReady; // guarded by lock
    private boolean owesReady; // guarded by lock: the producer was told to wait
    private boolean running; // guarded by lock: onReady runs, or is about to

    /** @param executor runs what {@link #onReady} was given, and sends the last frame of a stream that is cancelled */
    public StreamSource(Payload items, Receiver outlet, Executor executor) {
        this.items = items;
        this.outlet = outlet;
        this.executor = executor;
    }

    /** Runs a producer to its end, on its thread, which is interrupted when the stream is cancelled. */
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
        } catch (Throwable thrown) { // the application's code: an Error, too, ends this stream alone
            failure = thrown;
        }
        lock.lock();
        try {
            worker = null;
            if (cancelled) {
                Thread.interrupted(); // it was meant for the producer
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
        lock.lock();
        try {
            while (!over && !mayTakeTurn()) {
                changed.await();
            }
            requireOpen();
            sending = true;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new RealtimeException(ErrorCode.CANCELLED, "interrupted while it waited for the receiver");
        } finally {
            lock.unlock();
        }
        sendInTurn(json);
    }

    @Override
    public boolean offer(T item) {
        String json = items.write(item);
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
        } finally {
            lock.unlock();
        }
        sendInTurn(json);
        return true;
    }

    private void sendInTurn(String json) {
        boolean isSent = false;
        ErrorData error = ErrorData.of(ErrorCode.INTERNAL, "the stream failed", false);
        try {
            outlet.item(sent, json); // sent changes only in a turn
            isSent = true;
        } catch (RealtimeException refused) {
            error = ErrorData.of(refused);
            throw refused;
        } finally { // an Error must not keep the turn: whoever ends the stream waits for it
            if (isEndAfterTurn(json.length(), isSent)) { // the receiver must not take what follows for the next
                outlet.over(sent, error);
            }
        }
    }

    /** Gives the turn back; returns whether it has ended the stream. */
    private boolean isEndAfterTurn(int length, boolean isSent) {
        lock.lock();
        try {
            lengths[(int) (sent % lengths.length)] = length; // no more are under way
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

    private boolean mayTakeTurn() { // guarded by lock
        return !sending && hasCredit();
    }

    private boolean hasCredit() { // guarded by lock
        return sent < granted && underWay < StreamCall.WINDOW_LENGTH && outlet.hasRoom();
    }

    /** The reader is done with all but the last {@link StreamCall#WINDOW} items that it takes. */
    private void forgetHandled() { // guarded by lock
        for (long upTo = Math.min(sent, granted - lengths.length); handled < upTo; handled++) {
            underWay -= lengths[(int) (handled % lengths.length)];
        }
    }

    private void requireOpen() { // guarded by lock
        if (cancelled) {
            throw new RealtimeException(ErrorCode.CANCELLED, "nobody wants the stream any more");
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
            owesReady |= !over && !isReady; // who asks before it offers is told to wait by this
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
            return; // what came of the interruption is nobody's trouble
        }
        if (cause instanceof RealtimeException known && ErrorData.isForPeer(cause)) {
            finish(ErrorData.of(known));
        } else {
            try {
                finish(ErrorData.of(ErrorCode.INTERNAL, "the stream failed", false));
            } finally {
                outlet.report(cause);
            }
        }
    }

    private void finish(@Nullable ErrorData error) {
        lock.lock();
        try {
            while (sending) {
                changed.awaitUninterruptibly();
            }
            if (over) {
                return;
            }
            over = true;
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        outlet.over(sent, error);
    }

    /**
     * The receiver takes so many items in all; false when that is no more, or there were as many grants as items: one who
     * says a little more over and over costs work, and moves nothing. None of the application's code runs on it.
     */
    public boolean grant(long upTo) {
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

    /** Returns how many grants may still come of a receiver that makes one for each item, and does not know of the end. */
    long unusedGrants() {
        lock.lock();
        try {
            return Math.min(StreamCall.WINDOW, sent - grants);
        } finally {
            lock.unlock();
        }
    }

    /** There may be room again. */
    public void roomAgain() {
        lock.lock();
        try {
            changed.signalAll();
        } finally {
            lock.unlock();
        }
        tellReady();
    }

    /** Nobody wants the stream any more: wakes the producer, on whatever it waits, and says that this is the end. */
    public void cancel() {
        abort(ErrorData.of(ErrorCode.CANCELLED, "cancelled", false));
    }

    /** Ends the stream as {@link #cancel} does; the receiver hears why. */
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

    private boolean isReadyOwed() { // guarded by lock
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
            } catch (Throwable failure) { // the application's code: an Error, too, ends this stream alone
                fail(failure);
            }
        }
    }
}
