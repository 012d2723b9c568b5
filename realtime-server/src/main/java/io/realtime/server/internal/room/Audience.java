package io.realtime.server.internal.room;

import io.realtime.server.Session;
import io.realtime.server.internal.room.Members.MemberLink;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The members of a room to whom a message is addressed: those that meet all of its conditions. It is kept with the log
 * entry, so that a replay respects it. It is therefore small, and equals the next message's audience if the conditions
 * are the same. The ids and tags in it need not be those of members. Immutable.
 */
final class Audience {
    static final Audience EVERYONE = new Audience(null, Set.of(), List.of(), 0, null);
    static final Audience NOBODY = new Audience(Set.of(), Set.of(), List.of(), 0, null);

    // The ids of which a session must have one; null for any.
    private final @Nullable Set<String> only;
    // The ids of which a session may have none.
    private final Set<String> except;
    // The tags that a session must have, all of them.
    private final List<Tag> tags;
    // The moment of the tags that count, by the TagClock.
    private final long moment;
    // The seats of which a member must have one; null for any.
    private final @Nullable Seats seats;
    private final int weight;

    private record Tag(String name, String value) {}

    private Audience(
            @Nullable Set<String> only, Set<String> except, List<Tag> tags, long moment, @Nullable Seats seats) {
        this.only = only;
        this.except = except;
        this.tags = tags;
        this.moment = moment;
        this.seats = seats;
        this.weight = 40 + weight(only) + weight(except) + weightOfTags() + (seats == null ? 0 : seats.weight());
    }

    // ---------------------------------------------------------------- conditions

    /** Returns this audience without these sessions. */
    Audience except(Collection<String> ids) {
        return ids.isEmpty() ? this : new Audience(only, union(except, ids), tags, moment, seats);
    }

    /** Returns those of these sessions that are in this audience. */
    Audience only(Collection<String> ids) {
        Set<String> both = new HashSet<>(ids);
        if (only != null) {
            both.retainAll(only);
        }
        return new Audience(Set.copyOf(both), except, tags, moment, seats);
    }

    /** Returns those of this audience that have a tag. */
    Audience having(String tag, String value) {
        List<Tag> all = new ArrayList<>(tags);
        all.add(new Tag(tag, value));
        return new Audience(only, except, all.stream().distinct().toList(), moment, seats);
    }

    /**
     * Returns those of this audience that have one of these seats, and had it at this moment.
     *
     * @param bits one bit for each seat
     */
    Audience seated(long moment, long[] bits) {
        return new Audience(only, except, tags, this.moment, new Seats(moment, bits));
    }

    /** Returns this audience by the tags that members have now. */
    Audience now(TagClock clock) {
        long now = tags.isEmpty() ? moment : clock.now();
        return now == moment ? this : new Audience(only, except, tags, now, seats);
    }

    private static Set<String> union(Set<String> some, Collection<String> more) {
        Set<String> all = new HashSet<>(some);
        all.addAll(more);
        return Set.copyOf(all);
    }

    // ---------------------------------------------------------------- members

    /**
     * Returns whether the message is addressed to a session.
     *
     * @param member the session's link to the room; null if it is not a member
     */
    boolean includes(Subscriber session, @Nullable MemberLink member) {
        return meets(session, tags.isEmpty() ? Map.of() : session.tagHistory().at(moment))
                && (seats == null || (member != null && seats.include(member)));
    }

    /** Returns whether a session meets the conditions on its id and its tags, by the tags that it has now. */
    boolean isNamed(Session session) {
        return meets(session, tags.isEmpty() ? Map.of() : session.tags());
    }

    private boolean meets(Session session, Map<String, String> has) {
        if ((only != null && !only.contains(session.id())) || (!except.isEmpty() && except.contains(session.id()))) {
            return false;
        }
        // By index: this runs for each member and message, and an iterator is an object.
        for (int i = 0; i < tags.size(); i++) {
            Tag tag = tags.get(i);
            if (!tag.value.equals(has.get(tag.name))) {
                return false;
            }
        }
        return true;
    }

    /** Returns whether {@link #includes} has always answered the same for this session. */
    boolean isCertainOf(Subscriber session) {
        return tags.isEmpty() || session.tagHistory().isKept(moment);
    }

    /** Returns whether there are no conditions. */
    boolean isEveryone() {
        return only == null && except.isEmpty() && tags.isEmpty() && seats == null;
    }

    /** Returns the ids of which a session must have one; null for any. */
    @Nullable
    Set<String> only() {
        return only;
    }

    /** Returns the ids of the sessions that are not addressed, if all others are; null if there are other conditions. */
    @Nullable
    Set<String> allBut() {
        return only == null && tags.isEmpty() && seats == null ? except : null;
    }

    /** Returns whether the message may be addressed to a session that does not exist yet. */
    boolean mayIncludeNewSessions() {
        return only == null && seats == null;
    }

    // ---------------------------------------------------------------- in the log

    /** Returns what keeping the audience costs, in bytes of heap. */
    int weight() {
        return weight;
    }

    private static int weight(@Nullable Set<String> ids) {
        int bytes = ids == null ? 0 : weightOf(ids.size());
        for (String id : ids == null ? Set.<String>of() : ids) {
            // After its session is over, only the log keeps an id in memory.
            bytes += (int) LocalBroker.weight(id);
        }
        return bytes;
    }

    private int weightOfTags() {
        int bytes = weightOf(tags.size());
        for (Tag tag : tags) {
            bytes += 24 + (int) (LocalBroker.weight(tag.name) + LocalBroker.weight(tag.value));
        }
        return bytes;
    }

    /** Returns the cost of an immutable set, or about that of a list, without its elements. */
    private static int weightOf(int size) {
        return size == 0 ? 0 : size < 3 ? 24 : 40 + 8 * size;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Audience that
                && Objects.equals(only, that.only)
                && except.equals(that.except)
                && tags.equals(that.tags)
                && moment == that.moment
                && Objects.equals(seats, that.seats);
    }

    @Override
    public int hashCode() {
        return Objects.hash(only, except, tags, moment, seats);
    }

    /** Some of the seats at one moment: one bit for each. A member that took its seat later does not count. */
    private static final class Seats {
        private final long moment;
        // The number of the first word. The words before it and after the last one are zero.
        private final int first;
        private final long[] words;

        Seats(long moment, long[] bits) {
            int from = 0;
            int to = bits.length;
            while (from < to && bits[from] == 0) {
                from++;
            }
            while (from < to && bits[to - 1] == 0) {
                to--;
            }
            this.moment = moment;
            this.first = from;
            this.words = Arrays.copyOfRange(bits, from, to);
        }

        boolean include(MemberLink member) {
            int word = (member.seat >> 6) - first;
            return word >= 0
                    && word < words.length
                    && (words[word] & (1L << member.seat)) != 0
                    && member.seatedAt <= moment;
        }

        int weight() {
            return 48 + 8 * words.length;
        }

        @Override
        public boolean equals(Object other) {
            return other instanceof Seats that
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
