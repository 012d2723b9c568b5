package io.realtime.server.internal.room;

import io.realtime.server.Session;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The recipients of a message as its sender names them: all members, all without some, or those that pass a test.
 * Immutable.
 */
public final class Recipients {
    public static final Recipients EVERYONE = new Recipients(List.of(), null);

    private final List<Session> except;
    private final @Nullable Predicate<? super Session> filter;
    // The ids of the sessions that are left out.
    private final Set<String> ids;
    private final Audience others;

    private Recipients(List<Session> except, @Nullable Predicate<? super Session> filter) {
        Set<String> left = new HashSet<>();
        for (Session session : except) {
            left.add(session.id());
        }
        this.except = except;
        this.filter = filter;
        this.ids = Set.copyOf(left);
        this.others = Audience.except(ids);
    }

    public Recipients except(Session... sessions) {
        Set<Session> all = new HashSet<>(except);
        all.addAll(List.of(sessions));
        return new Recipients(List.copyOf(all), filter);
    }

    public Recipients filter(Predicate<? super Session> test) {
        Predicate<? super Session> before = filter;
        return new Recipients(except, before == null ? test : s -> before.test(s) && test.test(s));
    }

    /** Returns the sessions that do not receive the message. */
    List<Session> except() {
        return except;
    }

    /** Returns whether a test decides. If true, call {@link #among} for each message. */
    boolean isTested() {
        return filter != null;
    }

    /** Returns the audience of a message to these members. Runs the application's test, so call it without a lock. */
    Audience among(Members.Snapshot members) {
        Predicate<? super Session> test = filter;
        if (test == null) {
            return others;
        }
        long[] seats = new long[(members.seats() + 63) >> 6];
        for (int i = 0; i < members.size(); i++) {
            Session session = members.session(i);
            if (test.test(session) && (ids.isEmpty() || !ids.contains(session.id()))) {
                int seat = members.seat(i);
                seats[seat >> 6] |= 1L << seat;
            }
        }
        return new Audience.Only(members.moment(), seats);
    }

    /** Returns the audience of a message if no test decides. */
    Audience others() {
        return others;
    }
}
