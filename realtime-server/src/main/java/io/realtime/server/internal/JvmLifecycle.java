package io.realtime.server.internal;

import io.realtime.internal.Durations;
import io.realtime.server.RealtimeServer;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The ties between a started server and its JVM: a thread that keeps the JVM running, since all others are daemons, and
 * the shutdown hook that closes the server. Used by the thread that starts the server, then by the one that closes it.
 */
public final class JvmLifecycle {
    private static final Logger LOG = LoggerFactory.getLogger(JvmLifecycle.class);
    // How many ns a close by another thread may take beyond the grace.
    private static final long LAST_CALLS = 1_000_000_000;

    /** The close of a server, which may wait for another thread that closes it. */
    @FunctionalInterface
    public interface Close {
        /** Closes within the grace. Waits at most for the patience. Both are nanoseconds. */
        void close(long grace, long patience);
    }

    private final @Nullable Thread keeper;
    private final @Nullable Thread hook;

    /**
     * Creates the thread and the hook, but starts neither.
     *
     * @param isDaemon true if the JVM may end while the server runs
     * @param grace the time for the close when the JVM ends; null for no hook
     * @param close closes the server within a grace, and waits for a close by another thread for a time, both in
     *     nanoseconds
     */
    public JvmLifecycle(RealtimeServer server, boolean isDaemon, @Nullable Duration grace, Close close) {
        keeper = isDaemon ? null : new Thread(() -> waitFor(server), "realtime-server");
        if (keeper != null) {
            // By default a thread is a daemon if the thread that creates it is one.
            keeper.setDaemon(false);
        }
        hook = grace == null ? null : new Thread(() -> close(close, Durations.nanos(grace)), "realtime-shutdown");
    }

    /**
     * Registers the hook and starts the thread.
     *
     * @throws IllegalStateException if the JVM is ending, and the server would have a hook
     */
    public void begin() {
        if (hook != null) {
            Runtime.getRuntime().addShutdownHook(hook);
        }
        if (keeper != null) {
            keeper.start();
        }
    }

    /** Removes the hook. The thread ends by itself when the server is closed. */
    public void end() {
        try {
            if (hook != null) {
                Runtime.getRuntime().removeShutdownHook(hook);
            }
        } catch (IllegalStateException ending) {
            // The hook is running, and closes a server that is closed.
            LOG.debug("closed while the JVM ends", ending);
        }
    }

    private static void close(Close close, long grace) {
        close.close(grace, grace + LAST_CALLS);
    }

    private static void waitFor(RealtimeServer server) {
        try {
            server.awaitClosed();
        } catch (InterruptedException strange) {
            // No other code can reach this thread.
            LOG.warn("the JVM may end while the server runs", strange);
        }
    }
}
