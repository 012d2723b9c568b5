package io.realtime.server;

import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** Who a message is for, as its sender says it: all members, without some, or those who pass a test. Immutable. */
final class Recipients {
    static final Recipients EVERYONE = new Recipients(List.of(), null);

    private final List<Session> except;
    private final @Nullable Predicate<? super Session> filter;
    private final Set<String> ids; // of those left out
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

    Recipients except(Session... sessions) {
        Set<Session> all = new HashSet<>(except);
        all.addAll(List.of(sessions));
        return new Recipients(List.copyOf(all), filter);
    }

    Recipients filter(Predicate<? super Session> test) {
        Predicate<? super Session> before = filter;
        return new Recipients(except, before == null ? test : s -> before.test(s) && test.test(s));
    }

    /** Returns the sessions that are left out of what all others receive. */
    List<Session> except() {
        return except;
    }

    /** Returns whether a test decides, so that {@link #among} has to be asked for each message. */
    boolean isTested() {
        return filter != null;
    }

    /** Returns the audience of a message that goes to these members; asks the application's test, so under no lock. */
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

    /** Returns the audience of a message when no test decides. */
    Audience others() {
        return others;
    }
}
