package io.realtime.server;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who of a room's members a message is for. Kept with the log entry, so that a replay honours it: by public session
 * ids, either all but these, or only these.
 */
record Audience(@Nullable Set<String> only, Set<String> except) {
    static final Audience EVERYONE = new Audience(null, Set.of());

    boolean isEveryone() {
        return only == null && except.isEmpty();
    }

    boolean includes(String sessionId) {
        return (only == null || only.contains(sessionId)) && !except.contains(sessionId);
    }

    /** What it costs to keep, in bytes, roughly. */
    int weight() {
        return 64 * ((only == null ? 0 : only.size()) + except.size());
    }
}
