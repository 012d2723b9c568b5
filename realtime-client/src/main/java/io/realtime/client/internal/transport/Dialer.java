package io.realtime.client.internal.transport;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Connects to the first of a host's addresses that answers (RFC 8305). The address families alternate. An attempt
 * begins when the one before it has failed or has taken 250 ms. The other sockets are closed. At most six attempts are
 * in progress. Each has a daemon thread, since closing the socket is the only way to end a connect that blocks. Used
 * once. Tests override how it waits.
 */
class Dialer {
    static final long STAGGER_MILLIS = 250;
    static final int MOST_UNDER_WAY = 6;

    /** How long an attempt may take while other addresses wait. */
    private static final int ADDRESS_TIMEOUT_MILLIS = 4_000;

    private final Supplier<Socket> sockets;
    private final long staggerNanos;

    // The last lock to be taken: nothing blocks under it.
    private final ReentrantLock lock = new ReentrantLock();
    private final Condition news = lock.newCondition();

    @GuardedBy("lock")
    private final Set<Socket> underWay = new LinkedHashSet<>();

    @GuardedBy("lock")
    private @Nullable Socket winner;
    // The first failure; the others are suppressed in it.
    @GuardedBy("lock")
    private @Nullable IOException failure;

    @GuardedBy("lock")
    private boolean isNextDue = true;

    @GuardedBy("lock")
    private boolean over;

    Dialer(Supplier<Socket> sockets, long staggerMillis) {
        this.sockets = sockets;
        this.staggerNanos = TimeUnit.MILLISECONDS.toNanos(staggerMillis);
    }

    /**
     * Returns a connected socket. Blocks until there is one, or {@link #cancel} ends it.
     *
     * @throws IOException when no address can be reached
     */
    Socket connect(InetAddress[] addresses, int port) throws IOException {
        Deque<InetAddress> left = new ArrayDeque<>(takingTurns(addresses));
        int timeout = left.size() > MOST_UNDER_WAY ? ADDRESS_TIMEOUT_MILLIS : 0;
        try {
            while (true) {
                Socket won = await(left.isEmpty());
                if (won != null) {
                    return won;
                }
                dial(new InetSocketAddress(left.remove(), port), timeout);
            }
        } finally {
            cancel();
        }
    }

    /** Cancels: closes the attempts in progress, and {@link #connect} fails unless it has completed. */
    void cancel() {
        List<Socket> losers;
        lock.lock();
        try {
            over = true;
            losers = new ArrayList<>(underWay);
            news.signalAll();
        } finally {
            lock.unlock();
        }
        losers.forEach(Dialer::discard);
    }

    /** Closes a socket that nobody needs; does not block for the peer. */
    static void discard(Socket socket) {
        try {
            socket.close();
        } catch (IOException gone) {
            // Nobody needs the socket any more.
        }
    }

    /** Returns the winner, or null when the next attempt must begin. */
    private @Nullable Socket await(boolean isNoneLeft) throws IOException {
        long wait = staggerNanos;
        lock.lock();
        try {
            while (winner == null) {
                if (over) {
                    throw new SocketException("cancelled");
                }
                if (isNoneLeft && underWay.isEmpty()) {
                    throw failure == null ? new ConnectException("the host has no address") : failure;
                }
                if (!isNoneLeft && (isNextDue || wait <= 0) && underWay.size() < MOST_UNDER_WAY) {
                    isNextDue = false;
                    return null;
                }
                if (wait > 0 && !isNoneLeft) {
                    wait = awaitNews(wait);
                } else {
                    news.await();
                }
            }
            return winner;
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
            throw new SocketException("interrupted");
        } finally {
            lock.unlock();
        }
    }

    /** Waits for news, at most this long; returns the remaining time. */
    // The caller has the loop.
    @SuppressWarnings("WaitNotInLoop")
    long awaitNews(long nanos) throws InterruptedException {
        return news.awaitNanos(nanos);
    }

    private void dial(InetSocketAddress address, int timeout) {
        Socket socket = sockets.get();
        boolean isCancelled;
        lock.lock();
        try {
            isCancelled = over;
            if (!isCancelled) {
                underWay.add(socket);
            }
        } finally {
            lock.unlock();
        }
        if (isCancelled) {
            discard(socket);
            return;
        }
        Thread thread = new Thread(() -> attempt(socket, address, timeout), "realtime-client-dial");
        thread.setDaemon(true);
        thread.start();
    }

    private void attempt(Socket socket, InetSocketAddress address, int timeout) {
        IOException refusal = null;
        try {
            socket.connect(address, timeout);
        } catch (IOException unreachable) {
            refusal = unreachable;
        } catch (RuntimeException unfit) {
            // The platform cannot dial this address.
            refusal = new IOException("cannot dial " + address.getAddress().getHostAddress(), unfit);
        }
        if (!isTaken(socket, refusal)) {
            discard(socket);
        }
    }

    private boolean isTaken(Socket socket, @Nullable IOException refusal) {
        lock.lock();
        try {
            underWay.remove(socket);
            boolean wins = refusal == null && winner == null && !over;
            IOException first = failure;
            if (wins) {
                winner = socket;
            } else if (first == null) {
                failure = refusal;
            } else if (refusal != null) {
                first.addSuppressed(refusal);
            }
            isNextDue = true;
            news.signalAll();
            return wins;
        } finally {
            lock.unlock();
        }
    }

    /**
     * Returns the addresses in the order in which they were found, with the families alternating (RFC 8305 section 4).
     */
    static List<InetAddress> takingTurns(InetAddress[] found) {
        Deque<InetAddress> first = new ArrayDeque<>();
        Deque<InetAddress> second = new ArrayDeque<>();
        for (InetAddress address : found) {
            (address.getClass() == found[0].getClass() ? first : second).add(address);
        }
        List<InetAddress> turns = new ArrayList<>(found.length);
        while (!first.isEmpty() || !second.isEmpty()) {
            if (!first.isEmpty()) {
                turns.add(first.remove());
            }
            if (!second.isEmpty()) {
                turns.add(second.remove());
            }
        }
        return turns;
    }
}
