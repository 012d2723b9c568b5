package io.realtime.client.internal.connection;

import io.realtime.client.internal.call.ClientCalls;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Timers;
import io.realtime.client.internal.outbox.Sender;
import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * Waits, before the client disconnects, until everything that the application asked for is delivered: callbacks that
 * were handed over have run, the server has their answers, and messages are acknowledged. Owned by the scheduler's
 * thread.
 */
final class Drain {
    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    private final ClientCalls calls;
    private final Sender sender;
    private final Outlook outlook;
    private final List<Wait> waits = new ArrayList<>(0);
    private volatile boolean isUnderWay;
    // Whether a marker waits among the callbacks.
    private volatile boolean isMarked;
    // The number of the last marker that was sent.
    private long lastMarker;

    /** The prospect of a connection. */
    interface Outlook {
        /**
         * Returns true if a connection is open, or may be within this time.
         *
         * @param isIdle whether there is nothing to deliver; then no connection that is still to be made is waited for
         */
        boolean isConnectedWithin(long nanos, boolean isIdle);
    }

    Drain(Scheduler scheduler, CallbackDispatcher callbacks, ClientCalls calls, Sender sender, Outlook outlook) {
        this.scheduler = scheduler;
        this.callbacks = callbacks;
        this.calls = calls;
        this.sender = sender;
        this.outlook = outlook;
    }

    /**
     * Returns a wait that runs a task once: when everything is delivered, when it cannot be for lack of a connection,
     * or at the latest when the grace is over.
     *
     * @param isCallback whether a callback asks for this: then no callback is waited for
     * @param ownAnswers how many answers are not waited for, since they come from a callback that waits for this
     */
    Wait newWait(Duration grace, boolean isCallback, int ownAnswers, Runnable then) {
        return new Wait(scheduler.nanoTime() + grace.toNanos(), isCallback, ownAnswers, then);
    }

    /** Begins a wait, which may end at once. */
    void begin(Wait wait) {
        waits.add(wait);
        isUnderWay = true;
        try {
            wait.timer = scheduler.schedule(wait.left(), () -> end(wait));
            if (!wait.isAfterCallbacks) {
                wait.marker = lastMarker + 1;
                mark();
            }
        } catch (Throwable failure) {
            // Without a timer there is no grace.
            end(wait);
            throw failure;
        }
        check();
    }

    /**
     * Sends a marker through the callbacks. Only one is on its way, however often the application disconnects
     * meanwhile.
     */
    private void mark() {
        if (isMarked) {
            // The next marker follows it.
            return;
        }
        isMarked = true;
        boolean isTaken = false;
        try {
            long marker = lastMarker + 1;
            callbacks.executeAfterAll(() -> {
                isMarked = false;
                scheduler.schedule(Duration.ZERO, () -> marked(marker));
            });
            lastMarker = marker;
            isTaken = true;
        } finally {
            if (!isTaken) {
                isMarked = false;
            }
        }
    }

    private void marked(long marker) {
        boolean isNextWanted = false;
        for (Wait wait : waits) {
            wait.isAfterCallbacks |= wait.marker <= marker;
            isNextWanted |= !wait.isAfterCallbacks;
        }
        if (isNextWanted) {
            mark();
        }
        check();
    }

    /** Returns true if a disconnect or close waits; on any thread. */
    boolean isUnderWay() {
        return isUnderWay;
    }

    /**
     * Ends the waits that are over. Called in a task of its own when something was delivered or the connection has
     * changed.
     */
    void check() {
        Steps.each(List.copyOf(waits), wait -> {
            if (wait.isOver()) {
                end(wait);
            }
        });
    }

    /** Removes one wait without running its task. */
    void forget(Wait wait) {
        waits.remove(wait);
        isUnderWay = !waits.isEmpty();
        wait.timer.cancel();
    }

    /** Removes all waits: the client is closed. */
    void stop() {
        Steps.each(List.copyOf(waits), this::forget);
    }

    /** Ends one wait now. */
    void end(Wait wait) {
        if (waits.contains(wait)) {
            forget(wait);
            wait.then.run();
        }
    }

    /** A disconnect or close that waits. */
    final class Wait {
        private final long until;
        private final int ownAnswers;
        private final Runnable then;
        private Scheduler.Cancellable timer = Timers.NONE;
        private boolean isAfterCallbacks;
        // When this marker has run, the callbacks that this waits for have run.
        private long marker;
        // The number of the last message to wait for, once all callbacks have sent theirs.
        private long last = -1;

        private Wait(long until, boolean isCallback, int ownAnswers, Runnable then) {
            this.until = until;
            this.isAfterCallbacks = isCallback;
            this.ownAnswers = ownAnswers;
            this.then = then;
        }

        /** Returns how long this wait may still take. */
        Duration left() {
            return Duration.ofNanos(Math.max(0, until - scheduler.nanoTime()));
        }

        private boolean isOver() {
            boolean owesNothing = isAfterCallbacks && calls.owesNoMoreThan(ownAnswers);
            boolean isIdle = owesNothing && sender.isDone(sender.lastSeq());
            if (!outlook.isConnectedWithin(left().toNanos(), isIdle)) {
                return true;
            }
            if (calls.hasLateAnswers()) {
                // Each gets a number above all that are known.
                last = -1;
            } else if (last < 0 && owesNothing) {
                last = sender.lastSeq();
            }
            return last >= 0 && sender.isDone(last);
        }
    }
}
