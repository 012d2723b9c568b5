package io.realtime.server.internal.connection;

import io.realtime.CloseReason;
import io.realtime.internal.Steps;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Moves the clients of a server away, evenly over a window. A client is first told goodbye, and no further message of it
 * is taken. When its messages that had arrived are handled, the connection is closed. So the close acknowledges them,
 * and only the others are sent to the next server.
 *
 * <p>A step runs ten times a second, one at a time. After {@link #begin} it alone uses the queues.
 */
public final class Drain {
    private static final Logger LOG = LoggerFactory.getLogger(Drain.class);
    private static final Duration STEP = Duration.ofMillis(100);

    /** How long a client may take to return: long enough that those of one step do not return at the same moment. */
    private static final Duration RETURN = Duration.ofSeconds(1);

    /** How long the handlers of one client are waited for. */
    private static final Duration HANDLERS = Duration.ofSeconds(5);

    private static final CloseReason MOVED = new CloseReason(CloseReason.DRAINING, "server is draining");

    private final PeerAcceptor acceptor;
    private final Scheduler scheduler;
    private final Executor executor;
    private final Executor callbacks;
    private final long end;
    private final MessageBatch goodbye = Peer.goodbyeFrame(RETURN.toMillis());
    private final CompletableFuture<Void> done = new CompletableFuture<>();
    private final Queue<Peer> staying = new ArrayDeque<>();
    private final Queue<Leaving> leaving = new ArrayDeque<>();

    /** A client that was told goodbye. */
    private record Leaving(Peer peer, long latest) {}

    /**
     * Creates a drain that ends after this window.
     *
     * @param executor runs the steps
     * @param callbacks completes the future, which may run application code
     */
    public Drain(PeerAcceptor acceptor, Scheduler scheduler, Executor executor, Executor callbacks, Duration window) {
        this.acceptor = acceptor;
        this.scheduler = scheduler;
        this.executor = executor;
        this.callbacks = callbacks;
        this.end = scheduler.nanoTime() + window.toNanos();
    }

    /** Refuses new connections, and begins. */
    public void begin() {
        acceptor.refuseNew();
        staying.addAll(acceptor.peers());
        scheduler.schedule(Duration.ZERO, () -> executor.execute(this::step));
    }

    /** Returns a future that completes when no connection is open, or when the server closes. */
    public CompletableFuture<Void> done() {
        return done;
    }

    /** Ends the drain, since the server closes, which moves the others away. */
    public void stop() {
        done.complete(null);
    }

    private void step() {
        if (done.isDone()) {
            return;
        }
        try {
            long now = scheduler.nanoTime();
            closeThose(now);
            sayGoodbye(now);
        } catch (Throwable failure) {
            // For example out of memory. The next step continues.
            Steps.log(LOG, "a step of the drain failed", failure);
        } finally {
            if (acceptor.connectionCount() == 0) {
                callbacks.execute(() -> done.complete(null));
            } else {
                scheduler.schedule(STEP, () -> executor.execute(this::step));
            }
        }
    }

    /** Closes those whose messages are handled. */
    private void closeThose(long now) {
        for (int count = leaving.size(); count > 0; count--) {
            Leaving next = leaving.remove();
            if (next.peer.isBusy() && now - next.latest < 0) {
                leaving.add(next);
            } else {
                Steps.run(() -> next.peer.closeBehind(MOVED));
            }
        }
    }

    /** Says goodbye to as many as an even rate requires, or to all after the window. */
    private void sayGoodbye(long now) {
        long steps = Math.max(1, (end - now) / STEP.toNanos());
        for (long count = (staying.size() + steps - 1) / steps; count > 0; count--) {
            Peer peer = staying.remove();
            leaving.add(new Leaving(peer, now + HANDLERS.toNanos()));
            Steps.run(() -> peer.goodbye(goodbye), peer::takeNoMore);
        }
    }
}
