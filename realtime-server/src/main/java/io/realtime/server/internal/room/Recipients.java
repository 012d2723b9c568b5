package io.realtime.server.internal.room;

import io.realtime.server.Session;
import java.util.Collection;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The recipients of a message as the application names them: all members, or those that meet conditions on their ids
 * and tags and pass a test. Immutable.
 */
public final class Recipients {
    public static final Recipients EVERYONE = new Recipients(Audience.EVERYONE, null);

    private final Audience named;
    private final @Nullable Predicate<? super Session> filter;

    private Recipients(Audience named, @Nullable Predicate<? super Session> filter) {
        this.named = named;
        this.filter = filter;
    }

    public Recipients except(Collection<String> sessions) {
        return new Recipients(named.except(sessions), filter);
    }

    public Recipients only(Collection<String> sessions) {
        return new Recipients(named.only(sessions), filter);
    }

    public Recipients having(String tag, String value) {
        return new Recipients(named.having(tag, value), filter);
    }

    public Recipients filter(Predicate<? super Session> test) {
        Predicate<? super Session> before = filter;
        return new Recipients(named, before == null ? test : s -> before.test(s) && test.test(s));
    }

    /** Returns whether a test decides. If true, call {@link #among} for each message. */
    boolean isTested() {
        return filter != null;
    }

    /** Returns the audience of a message to these members. Runs the application's test, so call it without a lock. */
    Audience among(Members.Snapshot members) {
        Predicate<? super Session> test = filter;
        if (test == null) {
            return named;
        }
        long[] seats = new long[(members.seats() + 63) >> 6];
        for (int i = 0; i < members.size(); i++) {
            Session session = members.session(i);
            if (named.isNamed(session) && test.test(session)) {
                int seat = members.seat(i);
                seats[seat >> 6] |= 1L << seat;
            }
        }
        return named.seated(members.moment(), seats);
    }

    /** Returns the audience of a message if no test decides. */
    Audience untested() {
        return named;
    }
}
