package io.realtime.server.internal.room;

import java.util.concurrent.ConcurrentHashMap;

/** How much the sessions of each user take together of something that is bounded for each. Safe for use by many threads. */
final class UserQuota {
    private final long most;
    // Users who take nothing are not in it, so it is bounded by the members of rooms.
    private final ConcurrentHashMap<String, Long> ofUser = new ConcurrentHashMap<>();

    UserQuota(long most) {
        this.most = most;
    }

    long most() {
        return most;
    }

    /** Takes some more, unless that is too much for the user. A negative amount is given back. */
    boolean take(String user, long amount) {
        boolean[] isTaken = {true};
        ofUser.compute(user, (name, taken) -> {
            long before = taken == null ? 0 : taken;
            isTaken[0] = amount <= 0 || before + amount <= most;
            long after = isTaken[0] ? before + amount : before;
            return after == 0 ? null : (Long) after;
        });
        return isTaken[0];
    }
}
