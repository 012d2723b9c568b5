package io.realtime.server;

import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who of a room's members a message is for. Kept with the log entry, so that a replay honours it; therefore small, and
 * equal to that of the next message where the same are meant. Immutable.
 */
abstract class Audience {
    static final Audience EVERYONE = new Audience() {
        @Override
        boolean includes(String session, Members.@Nullable MemberLink member) {
            return true;
        }

        @Override
        int weight() {
            return 0;
        }
    };

    /**
     * Returns whether the message is for a session.
     *
     * @param session its public id
     * @param member its link to the room; null when it is no member
     */
    abstract boolean includes(String session, Members.@Nullable MemberLink member);

    /** What it costs to keep, in bytes of heap. */
    abstract int weight();

    /** Everyone but these sessions, members or not, by their public ids. */
    static Audience except(Set<String> sessions) {
        return sessions.isEmpty() ? EVERYONE : new Except(sessions);
    }

    private static final class Except extends Audience {
        private final Set<String> sessions;

        Except(Set<String> sessions) {
            this.sessions = sessions;
        }

        @Override
        boolean includes(String session, Members.@Nullable MemberLink member) {
            return !sessions.contains(session);
        }

        @Override
        int weight() {
            return 48 + 72 * sessions.size(); // an id is the log's alone once its session is over
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Except that && sessions.equals(that.sessions);
        }

        @Override
        public int hashCode() {
            return sessions.hashCode();
        }
    }

    /** Some of those who were members at one moment: a bit for each seat. Who sits there since later is not meant. */
    static final class Only extends Audience {
        private final long moment;
        private final int first; // the number of the first word; those before it, and behind the last, are zero
        private final long[] words;

        /**
         * An audience.
         *
         * @param moment of the room's {@link Members}
         * @param seats a bit for each
         */
        Only(long moment, long[] seats) {
            int from = 0;
            int to = seats.length;
            while (from < to && seats[from] == 0) {
                from++;
            }
            while (from < to && seats[to - 1] == 0) {
                to--;
            }
            this.moment = moment;
            this.first = from;
            this.words = Arrays.copyOfRange(seats, from, to);
        }

        boolean includes(Members.MemberLink member) {
            int word = (member.seat >> 6) - first;
            return word >= 0
                    && word < words.length
                    && (words[word] & (1L << member.seat)) != 0
                    && member.seatedAt <= moment;
        }

        @Override
        boolean includes(String session, Members.@Nullable MemberLink member) {
            return member != null && includes(member);
        }

        @Override
        int weight() {
            return 48 + 8 * words.length;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Only that
                    && moment == that.moment
                    && first == that.first
                    && Arrays.equals(words, that.words);
        }

        @Override
        public int hashCode() {
            return 31 * Arrays.hashCode(words) + first;
        }
    }
}
