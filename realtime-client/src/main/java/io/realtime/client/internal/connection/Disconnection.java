package io.realtime.client.internal.connection;

import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.client.internal.call.ClientCalls;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Waiters;
import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/**
 * Disconnects when everything asked for is delivered, and lets the threads that close the client wait for that. A
 * connect meanwhile waits for the end of the connection, and then connects again.
 */
final class Disconnection {
    private static final CloseReason REASON = new CloseReason(CloseReason.NORMAL, "the client disconnects");

    private final EngineThread thread;
    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    private final ClientCalls calls;
    private final Reconnection reconnection;
    private final Drain drain;
    // Latches of the threads that wait in close.
    private final Set<CountDownLatch> closers = ConcurrentHashMap.newKeySet();
    // The last call of disconnect, if nothing was asked since.
    private final AtomicReference<@Nullable Request> last = new AtomicReference<>();

    // The fields below are owned by the scheduler's thread.

    // Calls of connect while the client disconnects.
    private final Waiters<Void> reopening;
    // Whether connect was called while the client disconnects, even if its caller has given up.
    private boolean isReopening;
    private Drain.@Nullable Wait disconnecting;

    Disconnection(
            EngineThread thread,
            Scheduler scheduler,
            CallbackDispatcher callbacks,
            ClientSession session,
            Reconnection reconnection) {
        this.thread = thread;
        this.scheduler = scheduler;
        this.callbacks = callbacks;
        this.calls = session.calls;
        this.reconnection = reconnection;
        this.drain = new Drain(scheduler, callbacks, calls, session.sender, reconnection::isConnectedWithin);
        this.reopening = new Waiters<>(callbacks, "the connection");
    }

    // From any thread

    /** Disconnects when everything asked for is delivered, or the grace is over. */
    void disconnect(Duration grace) {
        boolean isCallback = callbacks.isRunningHere();
        Request before = last.get();
        if (before != null && before.include(grace, isCallback)) {
            return;
        }
        Request next = new Request(grace, isCallback);
        last.set(next);
        boolean isPosted = false;
        try {
            thread.post(next);
            isPosted = true;
        } finally {
            if (!isPosted) {
                // It does not run, so no later call may rely on it.
                last.set(null);
            }
        }
    }

    /** Notes that a call was posted: a disconnect from now on comes after it. */
    void posted() {
        last.set(null);
    }

    /** One task for all calls of disconnect since another call was posted. */
    private final class Request implements Runnable {
        // Null from the moment when it runs.
        private final AtomicReference<@Nullable Terms> terms;

        private record Terms(Duration grace, boolean isCallback) {}

        Request(Duration grace, boolean isCallback) {
            this.terms = new AtomicReference<>(new Terms(grace, isCallback));
        }

        /** Adds another call. Returns false if the task has begun. */
        boolean include(Duration grace, boolean isCallback) {
            Terms known = terms.updateAndGet(before -> before == null
                    ? null
                    : new Terms(before.grace.compareTo(grace) < 0 ? before.grace : grace, isCallback));
            return known != null;
        }

        @Override
        public void run() {
            Terms agreed = terms.getAndSet(null);
            if (agreed != null) {
                begin(agreed.grace, agreed.isCallback);
            }
        }
    }

    /** Blocks the calling thread until everything is delivered or the grace is over. */
    void awaitDelivery(Duration grace) {
        CountDownLatch delivered = new CountDownLatch(1);
        boolean isCallback = callbacks.isRunningHere();
        int ownAnswers = calls.isHandlingHere() ? 1 : 0;
        closers.add(delivered);
        try {
            if (!thread.isTerminated() && !grace.isZero()) {
                thread.post(() -> drain.begin(drain.newWait(grace, isCallback, ownAnswers, delivered::countDown)));
                scheduler.await(delivered, grace);
            }
        } catch (InterruptedException interrupted) {
            // The caller wants to stop waiting.
            Thread.currentThread().interrupt();
        } finally {
            closers.remove(delivered);
        }
    }

    /**
     * Checks whether everything is delivered. The check is a task of its own, since it may disconnect, which must not
     * happen in the middle of another change.
     */
    void check() {
        if (drain.isUnderWay()) {
            Steps.run(() -> thread.post(drain::check));
        }
    }

    // On the scheduler's thread

    /** @param deadline the timer that fails the future */
    void connect(CompletableFuture<Void> result, Scheduler.Cancellable deadline) {
        if (disconnecting == null) {
            reconnection.connect(result, deadline);
        } else {
            isReopening = true;
            reopening.add(result, deadline);
        }
    }

    /** Fails the future of a connect that has waited long enough. */
    void connectTimedOut(CompletableFuture<Void> result, Duration timeout) {
        ConnectionException late = reconnection.timedOut(timeout);
        reconnection.fail(result, late);
        reopening.fail(result, late);
    }

    private void begin(Duration grace, boolean isCallback) {
        Drain.Wait before = disconnecting;
        // This call comes after a connect and overrides it.
        isReopening = false;
        reopening.fail(Failures.ended(REASON, null));
        Duration left = before == null || before.left().compareTo(grace) > 0 ? grace : before.left();
        if (before != null) {
            drain.forget(before);
        }
        if (left.isZero()) {
            disconnected();
            return;
        }
        Drain.Wait wait = drain.newWait(left, isCallback, 0, this::disconnected);
        disconnecting = wait;
        drain.begin(wait);
    }

    /**
     * Ends a disconnect that waits. What the application asks for from now on is for the next connection, which may
     * have another user.
     */
    void end() {
        Drain.Wait wait = disconnecting;
        if (wait != null) {
            drain.end(wait);
        }
    }

    private void disconnected() {
        disconnecting = null;
        reconnection.stop(REASON);
        if (isReopening) {
            isReopening = false;
            reconnection.connect(reopening);
        }
    }

    /** Removes what waits, so that no disconnect that ends connects again: the client closes. */
    void stop() {
        drain.stop();
    }

    /** Releases the threads that wait in close, and fails the calls of connect: the client is closed. */
    void release() {
        Steps.run(() -> closers.forEach(CountDownLatch::countDown), () -> reopening.fail(EngineThread.closed()));
    }
}
