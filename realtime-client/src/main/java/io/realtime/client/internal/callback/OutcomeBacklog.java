package io.realtime.client.internal.callback;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The bounds on what the application is still to be told about its calls: outcomes of futures, failures, dropped
 * messages. The application may call as often as it likes while its callbacks do not run. Beyond the bounds each call
 * is refused at once: its future has failed when it is returned, and nothing is reported. One report says how many
 * reports were not made. Safe for use by many threads.
 */
public final class OutcomeBacklog {
    /** The cost of a failure: an exception with its stack. */
    public static final long FAILURE_BYTES = 1 << 10;

    /** The most that waiting failures and dropped messages may cost. */
    public static final long MOST_BYTES = 8L << 20;

    /** How many callbacks may wait in addition to those that inbound frames lead to. */
    public static final int MOST = 10_000;

    private final SerialExecutor executor;
    private final long mostCallbacks;
    private final Consumer<Throwable> onError;
    private final AtomicLong bytes = new AtomicLong();
    private final AtomicLong unreported = new AtomicLong();

    /**
     * @param mostInbound how many callbacks inbound frames may lead to
     * @param onError called on the executor
     */
    OutcomeBacklog(SerialExecutor executor, long mostInbound, Consumer<Throwable> onError) {
        this.executor = executor;
        this.mostCallbacks = MOST + mostInbound;
        this.onError = onError;
    }

    /** Returns why nothing more may be asked, or null. */
    @Nullable
    public RealtimeException refusalOrNull() {
        return isFull()
                ? new RealtimeException(ErrorCode.OVERLOADED, "the callbacks cannot keep up", true, null)
                : null;
    }

    private boolean isFull() {
        return bytes.get() > MOST_BYTES || executor.pending() > mostCallbacks;
    }

    /** Runs a task that must not be refused; its cost counts until it runs. */
    void tell(long cost, Runnable task) {
        count(executor, cost, task);
    }

    /** Reports a failure, or counts it as not reported. */
    void report(Throwable failure) {
        if (isFull()) {
            skipReport();
        } else {
            tell(FAILURE_BYTES, () -> onError.accept(failure));
        }
    }

    /** Counts a report that was not made. */
    public void skipReport() {
        if (unreported.getAndIncrement() == 0) {
            // Otherwise a report about these is already on its way.
            executor.execute(() -> {
                String what = unreported.getAndSet(0)
                        + " failures and refused messages were not reported: the callbacks could not keep up";
                onError.accept(new RealtimeException(ErrorCode.OVERLOADED, what, true, null));
            });
        }
    }

    /** Counts a failure that another executor was given to report, until it has run. */
    public void failureWaitsFor(Executor other) {
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
