package io.realtime.examples.chat;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;

/**
 * A token bucket for each user. It remembers the users that were seen last; one that was forgotten begins with a full
 * bucket. Safe for use by many threads.
 */
final class UserRates {
    private static final int USERS = 10_000;

    private final long interval;
    private final long tolerance;
    private final LongSupplier nanoTime;
    // When each user's bucket is full again. Guarded by this.
    private final Map<String, Long> fullAt = new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > USERS;
        }
    };

    UserRates(int perSecond, int burst, LongSupplier nanoTime) {
        this.interval = TimeUnit.SECONDS.toNanos(1) / perSecond;
        this.tolerance = interval * (burst - 1);
        this.nanoTime = nanoTime;
    }

    /** Takes a token of a user. Returns 0, or in how many milliseconds the next one is there. */
    synchronized long take(String user) {
        long now = nanoTime.getAsLong();
        long missing = Math.max(0, fullAt.getOrDefault(user, now) - now);
        long wait = missing - tolerance;
        if (wait > 0) {
            return TimeUnit.NANOSECONDS.toMillis(wait - 1) + 1;
        }
        fullAt.put(user, now + missing + interval);
        return 0;
    }
}
