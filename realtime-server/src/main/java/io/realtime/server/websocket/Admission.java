package io.realtime.server.websocket;

import io.realtime.spi.ServerTransport.Config;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
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
    private static final int NETWORK_BYTES = 8;

    private final int most;
    private final int mostPerAddress;
    private final int mostPending;

    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Integer> byAddress = new HashMap<>(); // Guarded by lock
    // Oldest first. Guarded by lock.
    private final Set<Place> pending = new LinkedHashSet<>();
    private int open; // Guarded by lock
    // Refusals since the last line in the log. Guarded by lock.
    private long refused;
    private long saidAt = System.nanoTime() - QUIET.toNanos(); // Guarded by lock

    /** Creates an admission without connections. */
    public Admission(Config config) {
        this.most = config.connections();
        this.mostPerAddress = config.connectionsPerAddress();
        this.mostPending = config.pendingUpgrades();
    }

    /** Takes a place for a new connection. Returns null if a limit is reached. */
    public @Nullable Place enter(InetSocketAddress from) {
        String address = network(from);
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
        private Runnable cut = () -> {}; // Guarded by lock
        private boolean isUpgraded; // Guarded by lock
        private boolean isLeft; // Guarded by lock

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
                cut = abort;
                pending.add(this);
                if (pending.size() <= mostPending) {
                    return;
                }
                Place longest = pending.iterator().next();
                pending.remove(longest);
                oldest = longest.cut;
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

    /** Returns what counts as one address: an IPv4 address, or an IPv6 /64 network. */
    public static String network(InetSocketAddress remote) {
        InetAddress address = remote.getAddress();
        if (address == null) {
            // The address is not resolved. No socket has such an address; it is a name in a simulated network.
            return remote.getHostString();
        }
        if (!(address instanceof Inet6Address)) {
            return address.getHostAddress();
        }
        byte[] bytes = address.getAddress();
        StringBuilder network = new StringBuilder();
        for (int i = 0; i < NETWORK_BYTES; i += 2) {
            network.append(Integer.toHexString(((bytes[i] & 0xFF) << 8) | (bytes[i + 1] & 0xFF)))
                    .append(':');
        }
        return network.append(":/64").toString();
    }
}
