package io.realtime.server;

import io.realtime.internal.Durations;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What a started server has to do with its JVM: a thread that keeps the JVM running, since all others are daemons, and the
 * hook that closes the server when the JVM ends. Owned by the thread that starts the server, then by the one that closes it.
 */
final class JvmLifecycle {
    private static final Logger LOG = LoggerFactory.getLogger(JvmLifecycle.class);
    private static final long LAST_CALLS = 1_000_000_000; // ns that another's close may take beyond the grace

    private final @Nullable Thread keeper;
    private final @Nullable Thread hook;

    /**
     * @param isDaemon whether the JVM may end while the server runs
     * @param grace of the close at the JVM's end; null for none
     */
    JvmLifecycle(RealtimeServer server, boolean isDaemon, @Nullable Duration grace) {
        keeper = isDaemon ? null : new Thread(() -> waitFor(server), "realtime-server");
        if (keeper != null) {
            keeper.setDaemon(false); // else it would be what the starting thread is
        }
        hook = grace == null ? null : new Thread(() -> close(server, Durations.nanos(grace)), "realtime-shutdown");
    }

    /** @throws IllegalStateException when the JVM is ending, and the server was to be closed then */
    void begin() {
        if (hook != null) {
            Runtime.getRuntime().addShutdownHook(hook);
        }
        if (keeper != null) {
            keeper.start();
        }
    }

    /** Forgets the hook. The thread ends by itself, when the server is closed. */
    void end() {
        try {
            if (hook != null) {
                Runtime.getRuntime().removeShutdownHook(hook);
            }
        } catch (IllegalStateException ending) { // then the hook runs, and closes what is closed
            LOG.debug("closed while the JVM ends", ending);
        }
    }

    private static void close(RealtimeServer server, long grace) {
        server.close(grace, grace + LAST_CALLS);
    }

    private static void waitFor(RealtimeServer server) {
        try {
            server.awaitClosed();
        } catch (InterruptedException strange) { // nobody else knows this thread
            LOG.warn("the JVM may end while the server runs", strange);
        }
    }
}
