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
 * Who is let in: so many connections in all and from one address, of which so many may be without a finished upgrade.
 * A newcomer beyond the first two is turned away. Beyond the third the upgrade that has waited longest is cut instead:
 * an honest client needs milliseconds for its own, so that sockets which say nothing cannot keep others out.
 *
 * <p>An IPv6 address counts as its /64 network, which is what one host can take its addresses from.
 *
 * <p>Safe for use by many threads; one lock, under which nothing else is called.
 */
public final class Admission {
    /**
     * What the kernel may keep of one connection's outbound bytes beside the transport's bound: else Linux takes up to 4 MiB
     * of each peer that does not read, and copies it there while others wait.
     */
    public static final int SEND_BUFFER = 128 * 1024;

    /** What a peer that is being closed takes of what waits, at least, in the time that it has for its answer; else it is cut. */
    public static final int LEAST_TAKEN = 1024;

    private static final Logger LOG = LoggerFactory.getLogger(Admission.class);
    private static final Duration QUIET = Duration.ofMinutes(1);
    private static final int NETWORK_BYTES = 8;

    private final int most;
    private final int mostPerAddress;
    private final int mostPending;

    private final ReentrantLock lock = new ReentrantLock();
    private final Map<String, Integer> byAddress = new HashMap<>(); // Guarded by lock
    private final Set<Place> pending = new LinkedHashSet<>(); // Guarded by lock; oldest first
    private int open; // Guarded by lock
    private long refused; // Guarded by lock; since the last line in the log
    private long saidAt = System.nanoTime() - QUIET.toNanos(); // Guarded by lock

    /** Nobody is in. */
    public Admission(Config config) {
        this.most = config.connections();
        this.mostPerAddress = config.connectionsPerAddress();
        this.mostPending = config.pendingUpgrades();
    }

    /** Takes a place for a newcomer; null when there is none. */
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

    /** What a connection that was let in has, until it leaves. */
    public final class Place {
        private final String address;
        private Runnable cut = () -> {}; // Guarded by lock
        private boolean isUpgraded; // Guarded by lock
        private boolean isLeft; // Guarded by lock

        private Place(String address) {
            this.address = address;
        }

        /**
         * The upgrade begins, unless another thread has finished it already. When too many have not finished theirs, the
         * oldest of them is cut, on this thread.
         *
         * @param abort cuts this one; returns at once
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

        /** The upgrade is finished. */
        public void upgraded() {
            lock.lock();
            try {
                isUpgraded = true;
                pending.remove(this);
            } finally {
                lock.unlock();
            }
        }

        /** Gives the place back; nothing happens the second time. */
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
        if (address == null) { // not resolved: no socket's, a name in a simulated network
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
