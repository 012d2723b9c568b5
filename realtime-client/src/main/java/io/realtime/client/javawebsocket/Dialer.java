package io.realtime.client.javawebsocket;

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
 * Connects to the first of a host's addresses that answers (RFC 8305): the families take turns, an attempt begins when
 * the one before it has failed or has had 250 ms, and the losers are closed. At most six are under way; each has a
 * daemon thread, since closing a socket is the only way to end a connect that blocks. Used once. Tests override how it waits.
 */
class Dialer {
    static final long STAGGER_MILLIS = 250;
    static final int MOST_UNDER_WAY = 6;

    /** How long an address may keep its place while others wait for one. */
    private static final int ADDRESS_TIMEOUT_MILLIS = 4_000;

    private final Supplier<Socket> sockets;
    private final long staggerNanos;

    private final ReentrantLock lock = new ReentrantLock(); // a leaf: nothing blocks under it
    private final Condition news = lock.newCondition();
    private final Set<Socket> underWay = new LinkedHashSet<>(); // guarded by lock
    private @Nullable Socket winner; // guarded by lock
    private @Nullable IOException failure; // guarded by lock: the first, the others are suppressed in it
    private boolean isNextDue = true; // guarded by lock
    private boolean over; // guarded by lock

    Dialer(Supplier<Socket> sockets, long staggerMillis) {
        this.sockets = sockets;
        this.staggerNanos = TimeUnit.MILLISECONDS.toNanos(staggerMillis);
    }

    /**
     * Returns a connected socket; blocks until there is one, or {@link #cancel} ends it.
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

    /** Ends it: what is under way is closed, and {@link #connect} fails unless it was done. */
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

    /** Closes a socket that nobody has a use for; blocks for no peer. */
    static void discard(Socket socket) {
        try {
            socket.close();
        } catch (IOException gone) {
            // what it was for is over
        }
    }

    /** Returns the winner, or null when the next attempt is to begin. */
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

    /** Waits for news, no longer than this; returns how much of the time is left. */
    @SuppressWarnings("WaitNotInLoop") // the caller has the loop
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
        } catch (RuntimeException unfit) { // an address that the platform cannot dial
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

    /** Returns the addresses in the order in which they were found, each family's in turn (RFC 8305 section 4). */
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
