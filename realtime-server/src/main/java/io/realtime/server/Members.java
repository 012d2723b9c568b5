package io.realtime.server;

import io.realtime.spi.MessageBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The members of a room. A member has a seat, a small number that stays while it is a member, so that a set of members
 * is a bit for each. A seat is taken again by another; the moments at which it was taken tell them apart.
 *
 * <p>Guarded by the room's lock, but for what is immutable: a {@link Snapshot}, and the array of those who are live.
 */
final class Members {
    static final MemberLink[] NOBODY = new MemberLink[0];
    private static final int[] NO_SEATS = new int[0];

    private final Map<Session, MemberLink> links = new LinkedHashMap<>(4);
    private MemberLink @Nullable [] live; // null: must be made anew
    private @Nullable Snapshot snapshot; // likewise
    private long moment; // grows with each new member
    private int seats; // that were ever taken
    private int[] free = NO_SEATS; // a stack of those among them that are free
    private int freeSeats;

    /** The phases of a {@link MemberLink}. */
    enum MemberPhase {
        NEW,
        REPLAYING,
        LIVE,
        DETACHED
    }

    /** One connection of one member. Mutable fields are guarded by the room's lock. */
    static final class MemberLink {
        static final MemberConnection NOWHERE = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {}

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };

        final Session session;
        final int seat;
        final long seatedAt;
        volatile MemberConnection outlet; // written under the lock; nowhere once its connection is gone
        MemberPhase phase;
        int place; // among those who are live, when it is
        long cursor;
        long begun; // where its member began, or what its client has named since
        long until = Long.MAX_VALUE; // where the log ends for it, once its member has left
        long refusalsTold; // the number of the last message of which it was told before a gap
        boolean replays; // it is read the log, or waits for its connection meanwhile

        @Nullable
        Runnable behind; // runs when the replay has ended

        private MemberLink(Session session, @Nullable MemberConnection outlet, int seat, long seatedAt) {
            this.session = session;
            this.outlet = outlet == null ? NOWHERE : outlet;
            this.phase = outlet == null ? MemberPhase.DETACHED : MemberPhase.NEW;
            this.seat = seat;
            this.seatedAt = seatedAt;
        }

        /** Ends the replay; returns what waits behind it. */
        @Nullable
        Runnable endReplay() {
            Runnable waiting = behind;
            replays = false;
            behind = null;
            return waiting;
        }
    }

    /** Who was a member at one moment. Immutable. */
    static final class Snapshot {
        static final Snapshot NOBODY = new Snapshot(List.of(), 0, 0);

        private final Session[] sessions;
        private final int[] taken; // their seats
        private final int seats;
        private final long moment;

        private Snapshot(Collection<MemberLink> links, int seats, long moment) {
            this.sessions = new Session[links.size()];
            this.taken = new int[links.size()];
            int i = 0;
            for (MemberLink link : links) {
                sessions[i] = link.session;
                taken[i++] = link.seat;
            }
            this.seats = seats;
            this.moment = moment;
        }

        int size() {
            return sessions.length;
        }

        Session session(int index) {
            return sessions[index];
        }

        int seat(int index) {
            return taken[index];
        }

        /** Returns how many seats there are, those that are free included. */
        int seats() {
            return seats;
        }

        long moment() {
            return moment;
        }
    }

    boolean isEmpty() {
        return links.isEmpty();
    }

    int size() {
        return links.size();
    }

    @Nullable
    MemberLink get(Session session) {
        return links.get(session);
    }

    Collection<MemberLink> links() {
        return links.values();
    }

    List<Session> sessions() {
        return new ArrayList<>(links.keySet());
    }

    Snapshot snapshot() {
        Snapshot known = snapshot;
        if (known == null) {
            known = new Snapshot(links.values(), seats, moment);
            snapshot = known;
        }
        return known;
    }

    /** Gives a session a link, in place of the one that it has; it keeps its seat. */
    MemberLink link(Session session, @Nullable MemberConnection outlet) {
        MemberLink before = links.get(session);
        MemberLink link = before != null
                ? new MemberLink(session, outlet, before.seat, before.seatedAt)
                : new MemberLink(session, outlet, freeSeats > 0 ? free[--freeSeats] : seats++, ++moment);
        links.put(session, link);
        if (before == null) {
            snapshot = null;
        } else {
            changed(before);
        }
        return link;
    }

    /** Removes a member; returns its link, or null when it is none. */
    @Nullable
    MemberLink remove(Session session) {
        MemberLink link = links.remove(session);
        if (link == null) {
            return null;
        }
        changed(link);
        if (link.phase == MemberPhase.LIVE) { // else it is read the log to its end
            link.phase = MemberPhase.DETACHED;
        }
        if (links.isEmpty()) {
            seats = 0;
            free = NO_SEATS;
            freeSeats = 0;
        } else {
            if (freeSeats == free.length) {
                free = Arrays.copyOf(free, Math.max(4, 2 * freeSeats));
            }
            free[freeSeats++] = link.seat;
        }
        snapshot = null;
        return link;
    }

    /** Changes whether a link is live. */
    void become(MemberLink link, MemberPhase phase) {
        changed(link);
        link.phase = phase;
        changed(link);
    }

    private void changed(MemberLink link) {
        if (link.phase == MemberPhase.LIVE) {
            live = null;
        }
    }

    /** Returns the links that are live: an array that does not change. */
    MemberLink[] live() {
        MemberLink[] known = live;
        if (known == null) {
            List<MemberLink> now = new ArrayList<>(links.size());
            for (MemberLink link : links.values()) {
                if (link.phase == MemberPhase.LIVE) {
                    link.place = now.size();
                    now.add(link);
                }
            }
            known = now.toArray(NOBODY);
            live = known;
        }
        return known;
    }
}
