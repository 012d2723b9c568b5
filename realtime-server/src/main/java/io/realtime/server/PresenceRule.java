package io.realtime.server;

import io.realtime.internal.Durations;
import java.time.Duration;
import java.util.List;

/**
 * In which rooms members may ask who is here, and how they are told. Immutable. The methods that begin with {@code
 * with} return a copy with one other value.
 *
 * @param prefixes a room has presence if its name begins with one of these; the empty prefix stands for all rooms
 * @param grace for how long a session without a connection is shown, as away; then it has left, as the other members
 *     see it. It remains a member of the room, and is shown again when its client resumes
 * @param mostMembers in a room with more members, only their number is told. They are told one by one again when a
 *     quarter of them has left
 * @param interval the shortest time between two announcements in a room; what happens meanwhile is announced together
 */
public record PresenceRule(List<String> prefixes, Duration grace, int mostMembers, Duration interval) {
    private static final Duration LEAST_INTERVAL = Duration.ofMillis(10);

    /**
     * Creates a rule.
     *
     * @throws IllegalArgumentException when there is no prefix, when the grace or the number of members is negative, or
     *     when the interval is shorter than 10 ms
     */
    public PresenceRule {
        prefixes = List.copyOf(prefixes);
        if (prefixes.isEmpty()) {
            throw new IllegalArgumentException("a presence rule needs a prefix of the rooms' names");
        }
        if (mostMembers < 0) {
            throw new IllegalArgumentException("mostMembers " + mostMembers + " is negative");
        }
        if (interval.compareTo(LEAST_INTERVAL) < 0) {
            throw new IllegalArgumentException("interval " + interval + " is shorter than " + LEAST_INTERVAL);
        }
        grace = Durations.notNegative("grace", grace);
        interval = Durations.clamp(interval);
    }

    /**
     * Returns a rule for rooms whose names begin with one of these prefixes: a grace of 15 s, up to 1,000 members, at
     * most 4 announcements a second.
     */
    public static PresenceRule forRooms(String... prefixes) {
        return new PresenceRule(List.of(prefixes), Duration.ofSeconds(15), 1_000, Duration.ofMillis(250));
    }

    /** Returns a rule with this grace. */
    public PresenceRule withGrace(Duration time) {
        return new PresenceRule(prefixes, time, mostMembers, interval);
    }

    /** Returns a rule that tells up to so many members one by one; 0 for numbers only. */
    public PresenceRule withMostMembers(int members) {
        return new PresenceRule(prefixes, grace, members, interval);
    }

    /** Returns a rule with this interval. */
    public PresenceRule withInterval(Duration time) {
        return new PresenceRule(prefixes, grace, mostMembers, time);
    }

    /** Returns whether a room has presence by this rule; inboxes never have. */
    public boolean covers(String room) {
        return !room.startsWith("@") && prefixes.stream().anyMatch(room::startsWith);
    }
}
