package io.realtime.server.internal.session;

import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.limits.TokenBucket;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLongFieldUpdater;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The rate at which a session's messages may be handled: that of messages of one name, the session's own, and that of
 * its user. When a managed
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
    // By the name of a message: one for each that has a limit. Created on first use.
    private volatile @Nullable Map<String, TokenBucket> named;
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

    /** Returns what decides when a managed client's message of this name may be handled. */
    public Mailbox.Turn turn(String type) {
        RateLimit limit = context.rates().get(type);
        return limit == null ? this : new NamedTurn(type, limit);
    }

    private final class NamedTurn implements Mailbox.Turn {
        private final String type;
        private final RateLimit limit;

        NamedTurn(String type, RateLimit limit) {
            this.type = type;
            this.limit = limit;
        }

        @Override
        public long take() {
            return context.state().isDraining() ? 0 : taken(bucket(type, limit), SessionRate.this::take);
        }

        @Override
        public void giveBack() {
            SessionRate.this.giveBack();
        }
    }

    /**
     * Takes a token of a bucket, if there is one, and then the turn by the other limits. Returns 0 if both were taken,
     * else the nanoseconds to wait; then the bucket is not charged.
     */
    private long taken(TokenBucket bucket, LongSupplier others) {
        long now = context.scheduler().nanoTime();
        long wait = bucket.untilNext(now);
        if (wait == 0) {
            wait = others.getAsLong();
        }
        if (wait == 0) {
            bucket.spend(now);
        }
        return wait;
    }

    private TokenBucket bucket(String type, RateLimit limit) {
        Map<String, TokenBucket> buckets = named;
        if (buckets == null) {
            // One thread at a time takes turns.
            buckets = new ConcurrentHashMap<>();
            named = buckets;
        }
        return buckets.computeIfAbsent(
                type, key -> new TokenBucket(limit, context.scheduler().nanoTime()));
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
     * Takes the turn of a plain client's message of this name and returns 0; or returns how many nanoseconds there is
     * no token. If it is the user's that is missing, the session reserves the next one. Otherwise sessions that wait
     * would take every token before this client tries again.
     */
    public long tryTake(String type) {
        RateLimit limit = context.rates().get(type);
        return limit == null ? tryTake() : taken(bucket(type, limit), this::tryTake);
    }

    private long tryTake() {
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

    /**
     * Returns the rate that the next message waits for: that of its name, the session's, or its user's.
     *
     * @param type the message's name; null if it may be any
     */
    public Named slowest(@Nullable String type) {
        long now = context.scheduler().nanoTime();
        TokenBucket mine = own;
        Limits limits = context.limits();
        long ofUser = context.userRates().untilNext(user, now);
        long ofSession = mine == null ? -1 : mine.untilNext(now);
        Named slowest = ofUser > ofSession
                ? new Named("limits.ratePerUser", limits.ratePerUser())
                : new Named("limits.ratePerSession", limits.ratePerSession());
        long longest = Math.max(ofUser, ofSession);
        Map<String, TokenBucket> buckets = named;
        for (Map.Entry<String, RateLimit> rate : context.rates().entrySet()) {
            boolean isOther = type != null && !type.equals(rate.getKey());
            TokenBucket bucket = buckets == null || isOther ? null : buckets.get(rate.getKey());
            long wait = bucket == null ? 0 : bucket.untilNext(now);
            if (wait > longest) {
                slowest = new Named("the limit of '" + rate.getKey() + "'", rate.getValue());
                longest = wait;
            }
        }
        return slowest;
    }
}
