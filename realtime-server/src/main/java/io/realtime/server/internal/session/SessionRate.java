package io.realtime.server.internal.session;

import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.limits.TokenBucket;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import org.jspecify.annotations.Nullable;

/**
 * The rate at which a session's messages may be handled: the session's own, and that of its user. When a managed
 * client's message finds no token of its user, it reserves the next one and waits for it. So the user's sessions take
 * turns, and each token wakes one of them.
 *
 * <p>One thread at a time takes turns: the mailbox's, or that of a plain client's connection. Any thread may call
 * {@link #giveBack} and {@link #slowest}.
 */
public final class SessionRate implements Mailbox.Turn {
    private static final long NONE = Long.MIN_VALUE;
    private static final AtomicLongFieldUpdater<SessionRate> DUE =
            AtomicLongFieldUpdater.newUpdater(SessionRate.class, "due");

    private final SessionContext context;
    private final String user;
    // Created on first use.
    private volatile @Nullable TokenBucket own;
    // When the user's token becomes available that this session has reserved.
    private volatile long due = NONE;

    SessionRate(SessionContext context, String user) {
        this.context = context;
        this.user = user;
    }

    /** A limit, with the name that the application knows it by. */
    public record Named(String name, RateLimit limit) {
        @Override
        public String toString() {
            return name + ", " + limit;
        }
    }

    /** Takes the turn of a managed client's message. While the server closes, no message waits. */
    @Override
    public long take() {
        if (context.state().isDraining()) {
            return 0;
        }
        long now = context.scheduler().nanoTime();
        if (due != NONE) {
            return untilDue(now);
        }
        TokenBucket mine = own(now);
        long wait = mine == null ? 0 : mine.untilNext(now);
        if (wait > 0) {
            // The user's rate is not charged.
            return wait;
        }
        if (mine != null) {
            mine.spend(now);
        }
        return untilDue(now);
    }

    @Override
    public void giveBack() {
        if (DUE.getAndSet(this, NONE) != NONE) {
            context.userRates().giveBack(user);
        }
    }

    /**
     * Takes the turn of a plain client's message and returns 0; or returns how many nanoseconds there is no token. In
     * that case the session reserves the user's next token. Otherwise sessions that wait would take every token before
     * this client tries again.
     */
    public long tryTake() {
        long now = context.scheduler().nanoTime();
        TokenBucket mine = own(now);
        long wait = mine == null ? 0 : mine.untilNext(now);
        if (wait == 0) {
            // Else the user's rate is not charged.
            wait = untilDue(now);
        }
        if (wait == 0 && mine != null) {
            mine.spend(now);
        }
        return wait;
    }

    /**
     * Takes the user's token that this session has reserved, or reserves the next one. Returns 0 or the wait in
     * nanoseconds.
     */
    private long untilDue(long now) {
        long taken = due;
        if (taken == NONE) {
            long wait = context.userRates().reserve(user, now);
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
        RateLimit limit = context.limits().ratePerSession();
        if (made == null && !limit.isNone()) {
            made = new TokenBucket(limit, now);
            own = made;
        }
        return made;
    }

    /** Returns the rate that the next message waits for: the session's, or its user's. */
    public Named slowest() {
        long now = context.scheduler().nanoTime();
        TokenBucket mine = own;
        Limits limits = context.limits();
        return mine == null || context.userRates().untilNext(user, now) > mine.untilNext(now)
                ? new Named("limits.ratePerUser", limits.ratePerUser())
                : new Named("limits.ratePerSession", limits.ratePerSession());
    }
}
