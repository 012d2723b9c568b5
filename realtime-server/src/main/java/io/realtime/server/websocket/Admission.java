package io.realtime.server.websocket;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.server.internal.limits.Network;
import io.realtime.spi.ServerTransport.Config;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The admission of connections. It limits the connections in all, the connections from one address, and those whose
 * upgrade is not finished. Beyond the first two limits a new connection is refused. Beyond the third the connection
 * that has waited longest for its upgrade is cut instead. An honest client needs milliseconds for its upgrade, so
 * sockets that send nothing cannot keep others out.
 *
 * <p>An IPv6 address counts as its /64 network, since one host can use any address of it.
 *
 * <p>Safe for use by many threads. It has one lock, under which nothing else is called.
 */
public final class Admission {
    /**
     * How many bytes of one connection's outbound data the kernel may hold in addition to the transport's bound.
     * Without it Linux accepts up to 4 MiB for each peer that does not read, and copies it there while others wait.
     */
    public static final int SEND_BUFFER = 128 * 1024;

    private static final Logger LOG = LoggerFactory.getLogger(Admission.class);
    private static final Duration QUIET = Duration.ofMinutes(1);

    private final int most;
    private final int mostPerAddress;
    private final int mostPending;

    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final Map<String, Integer> byAddress = new HashMap<>();
    // What cuts each connection whose upgrade is unfinished; oldest first.
    @GuardedBy("lock")
    private final Map<Place, Runnable> pending = new LinkedHashMap<>();

    @GuardedBy("lock")
    private int open;
    // Refusals since the last line in the log.
    @GuardedBy("lock")
    private long refused;

    @GuardedBy("lock")
    private long saidAt = System.nanoTime() - QUIET.toNanos();

    /** Creates an admission without connections. */
    public Admission(Config config) {
        this.most = config.connections();
        this.mostPerAddress = config.connectionsPerAddress();
        this.mostPending = config.pendingUpgrades();
    }

    /** Takes a place for a new connection. Returns null if a limit is reached. */
    public @Nullable Place enter(InetSocketAddress from) {
        String address = Network.of(from);
        String why;
        long count;
        lock.lock();
        try {
            int others = byAddress.getOrDefault(address, 0);
            if (open < most && others < mostPerAddress) {
                open++;
                byAddress.put(address, others + 1);
                return new Place(address);
            }
            refused++;
            long now = System.nanoTime();
            if (now - saidAt < QUIET.toNanos()) {
                return null;
            }
            saidAt = now;
            count = refused;
            refused = 0;
            why = open >= most
                    ? "limits.connections, " + most + ", are open"
                    : "limits.connectionsPerAddress, " + mostPerAddress + ", are open from " + address
                            + " (when that is a proxy, raise the limit)";
        } finally {
            lock.unlock();
        }
        LOG.warn("refused {} since the last line like this: {}", count, why);
        return null;
    }

    /** The place of an admitted connection, until it leaves. */
    public final class Place {
        private final String address;

        @GuardedBy("lock")
        private boolean isUpgraded;

        @GuardedBy("lock")
        private boolean isLeft;

        private Place(String address) {
            this.address = address;
        }

        /**
         * Records that the upgrade begins, unless another thread has finished it already. If too many upgrades are
         * unfinished, the oldest connection among them is cut, on this thread.
         *
         * @param abort cuts this connection; returns at once
         */
        public void upgrading(Runnable abort) {
            Runnable oldest;
            lock.lock();
            try {
                if (isLeft || isUpgraded) {
                    return;
                }
                pending.put(this, abort);
                if (pending.size() <= mostPending) {
                    return;
                }
                Iterator<Runnable> cuts = pending.values().iterator();
                oldest = cuts.next();
                cuts.remove();
            } finally {
                lock.unlock();
            }
            oldest.run();
        }

        /** Records that the upgrade is finished. */
        public void upgraded() {
            lock.lock();
            try {
                isUpgraded = true;
                pending.remove(this);
            } finally {
                lock.unlock();
            }
        }

        /** Gives the place back. A second call does nothing. */
        public void leave() {
            lock.lock();
            try {
                pending.remove(this);
                if (!isLeft) {
                    isLeft = true;
                    open--;
                    byAddress.computeIfPresent(address, (same, count) -> count == 1 ? null : count - 1);
                }
            } finally {
                lock.unlock();
            }
        }
    }
}
