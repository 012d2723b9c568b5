package io.realtime.server;

import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import org.jspecify.annotations.Nullable;

/**
 * When a session's messages may be handled: by the session's rate, and by its user's. A managed client's message that
 * finds no token of its user takes the next one that is still to come, and waits until it is there. So the user's sessions take
 * turns, and each token wakes one of them.
 *
 * <p>Turns are taken by one thread at a time, the mailbox's or a plain client's connection. Any thread may call {@link
 * #giveBack} and {@link #slowest}.
 */
final class SessionRate implements Mailbox.Turn {
    private static final long NONE = Long.MIN_VALUE;
    private static final AtomicLongFieldUpdater<SessionRate> DUE =
            AtomicLongFieldUpdater.newUpdater(SessionRate.class, "due");

    private final ServerCore core;
    private final String user;
    private volatile @Nullable TokenBucket own; // made on first use
    private volatile long due = NONE; // when the user's token is there that this session has taken and waits for

    SessionRate(ServerCore core, String user) {
        this.core = core;
        this.user = user;
    }

    /** A limit as its owner knows it. */
    record Named(String name, RateLimit limit) {
        @Override
        public String toString() {
            return name + ", " + limit;
        }
    }

    /** Takes the turn of a managed client's message. While the server closes, nothing waits. */
    @Override
    public long take() {
        if (core.isClosing()) {
            return 0;
        }
        long now = core.scheduler().nanoTime();
        if (due != NONE) {
            return untilDue(now);
        }
        TokenBucket mine = own(now);
        long wait = mine == null ? 0 : mine.untilNext(now);
        if (wait > 0) {
            return wait; // the user is not charged for that
        }
        if (mine != null) {
            mine.spend(now);
        }
        return untilDue(now);
    }

    @Override
    public void giveBack() {
        if (DUE.getAndSet(this, NONE) != NONE) {
            core.userRates().giveBack(user);
        }
    }

    /**
     * Takes the turn of a plain client's message, or returns for how many nanoseconds there is none. The user's next token is
     * then this session's, or those that wait would take every one before the client asks again.
     */
    long tryTake() {
        long now = core.scheduler().nanoTime();
        TokenBucket mine = own(now);
        long wait = mine == null ? 0 : mine.untilNext(now);
        if (wait == 0) { // else the user is not charged
            wait = untilDue(now);
        }
        if (wait == 0 && mine != null) {
            mine.spend(now);
        }
        return wait;
    }

    /** Takes the user's token that is due to this session, or its next one, once it is there. */
    private long untilDue(long now) {
        long taken = due;
        if (taken == NONE) {
            long wait = core.userRates().reserve(user, now);
            due = wait == 0 ? NONE : now + wait;
            return wait;
        }
        long wait = Math.max(0, taken - now);
        if (wait == 0) {
            DUE.compareAndSet(this, taken, NONE);
        }
        return wait;
    }

    private @Nullable TokenBucket own(long now) {
        TokenBucket made = own;
        RateLimit limit = core.limits().ratePerSession();
        if (made == null && !limit.isNone()) {
            made = new TokenBucket(limit, now);
            own = made;
        }
        return made;
    }

    /** Returns the rate that the next message waits for: the session's, or its user's. */
    Named slowest() {
        long now = core.scheduler().nanoTime();
        TokenBucket mine = own;
        Limits limits = core.limits();
        return mine == null || core.userRates().untilNext(user, now) > mine.untilNext(now)
                ? new Named("limits.ratePerUser", limits.ratePerUser())
                : new Named("limits.ratePerSession", limits.ratePerSession());
    }
}
