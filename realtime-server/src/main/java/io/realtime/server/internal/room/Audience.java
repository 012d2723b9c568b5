package io.realtime.server.internal.room;

import java.util.Arrays;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The members of a room to whom a message is addressed. It is kept with the log entry, so that a replay respects it. It
 * is therefore small, and equals the next message's audience if the same members are meant. Immutable.
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
     * Returns whether the message is addressed to a session.
     *
     * @param session the session's public id
     * @param member the session's link to the room; null if it is not a member
     */
    abstract boolean includes(String session, Members.@Nullable MemberLink member);

    /** Returns what keeping the audience costs, in bytes of heap. */
    abstract int weight();

    /**
     * Returns an audience of everyone but these sessions. The sessions are named by their public ids, and need not be
     * members.
     */
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
            // After its session is over, only the log keeps an id in memory.
            return 48 + 72 * sessions.size();
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

    /** Some of the members at one moment: one bit for each seat. A member that took its seat later is not included. */
    static final class Only extends Audience {
        private final long moment;
        // The number of the first word. The words before it and after the last one are zero.
        private final int first;
        private final long[] words;

        /**
         * Creates an audience.
         *
         * @param moment the moment of the room's {@link Members}
         * @param seats one bit for each seat
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
