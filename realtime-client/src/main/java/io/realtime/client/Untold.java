package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Bounds what the application is yet to be told of what it has asked: outcomes of futures, failures, dropped messages. It
 * may ask as often as it likes while its callbacks do not run. Beyond the bounds whatever it asks is refused at once: the
 * future has failed when it is returned, and nothing is reported. One report says how many were not made. Safe for use by
 * many threads.
 */
final class Untold {
    /** What a failure costs: an exception with its stack. */
    static final long FAILURE_BYTES = 1 << 10;

    /** What failures and dropped messages may cost that wait to be told. */
    static final long MOST_BYTES = 8L << 20;

    /** How many callbacks may wait beside those that inbound frames lead to. */
    static final int MOST = 10_000;

    private final SerialExecutor executor;
    private final long mostCallbacks;
    private final Consumer<Throwable> onError;
    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong unreported = new AtomicLong();

    /**
     * @param mostInbound how many callbacks inbound frames may lead to
     * @param onError told on the executor
     */
    Untold(SerialExecutor executor, long mostInbound, Consumer<Throwable> onError) {
        this.executor = executor;
        this.mostCallbacks = MOST + mostInbound;
        this.onError = onError;
    }

    /** Returns why nothing more may be asked, or null. */
    @Nullable
    RealtimeException refusalOrNull() {
        return isFull()
                ? new RealtimeException(ErrorCode.OVERLOADED, "the callbacks cannot keep up", true, null)
                : null;
    }

    private boolean isFull() {
        return bytes.get() > MOST_BYTES || executor.pending() > mostCallbacks;
    }

    /** Tells something that must be told; it counts until it is. */
    void tell(long cost, Runnable task) {
        count(executor, cost, task);
    }

    /** Reports a failure, or notes that it was not reported. */
    void report(Throwable failure) {
        if (isFull()) {
            skipReport();
        } else {
            tell(FAILURE_BYTES, () -> onError.accept(failure));
        }
    }

    /** Notes that a report was not made. */
    void skipReport() {
        if (unreported.getAndIncrement() == 0) { // else the report of these is on its way
            executor.execute(() -> {
                String what = unreported.getAndSet(0)
                        + " failures and refused messages were not reported: the callbacks could not keep up";
                onError.accept(new RealtimeException(ErrorCode.OVERLOADED, what, true, null));
            });
        }
    }

    /** Counts a failure that an executor was just given to tell, until it has told it. */
    void failureWaitsFor(Executor other) {
        count(other, FAILURE_BYTES, () -> {});
    }

    private void count(Executor other, long cost, Runnable task) {
        bytes.addAndGet(cost);
        other.execute(() -> {
            bytes.addAndGet(-cost);
            task.run();
        });
    }
}
