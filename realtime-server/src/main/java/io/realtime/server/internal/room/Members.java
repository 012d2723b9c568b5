package io.realtime.server.internal.room;

import io.realtime.spi.MessageBatch;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The members of a room. A member has a seat: a small number that it keeps while it is a member, so that a set of
 * members needs one bit for each. A free seat is given to another member. The moments at which members took it tell
 * them apart.
 *
 * <p>Guarded by the room's lock, except for what is immutable: a {@link Snapshot}, and the array of the live members.
 */
public final class Members {
    static final MemberLink[] NOBODY = new MemberLink[0];
    private static final int[] NO_SEATS = new int[0];

    // By the id of the session.
    private final Map<String, MemberLink> links = new LinkedHashMap<>(4);
    // Null if it must be computed again.
    private MemberLink @Nullable [] live;
    // Null if it must be computed again.
    private @Nullable Snapshot snapshot;
    // Increases with each new member.
    private long moment;
    // How many seats were ever taken.
    private int seats;
    // A stack of the free seats.
    private int[] free = NO_SEATS;
    private int freeSeats;

    /** The phases of a {@link MemberLink}. */
    enum MemberPhase {
        NEW,
        REPLAYING,
        LIVE,
        DETACHED
    }

    /** One connection of one member. Mutable fields are guarded by the room's lock. */
    public static final class MemberLink {
        static final MemberConnection NOWHERE = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {}

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };

        public final Subscriber session;
        final int seat;
        final long seatedAt;
        // When the session became a member, in milliseconds of the server's clock.
        public final long since;
        // Written under the lock. NOWHERE after its connection is lost.
        volatile MemberConnection outlet;
        MemberPhase phase;
        // The index in the array of the live members, while the link is live.
        int place;
        long cursor;
        // The offset where the member began, or the newest position that its client has named.
        long begun;
        // The offset where the log ends for this link after its member has left.
        public long until = Long.MAX_VALUE;
        // The number of the last refused message that the client was told of before a gap.
        long refusalsTold;
        // True while a replay to the link is in progress, also while it waits for the connection.
        boolean replays;

        // Runs when the replay has ended.
        @Nullable
        Runnable behind;

        private MemberLink(Subscriber session, @Nullable MemberConnection outlet, int seat, long seatedAt, long since) {
            this.session = session;
            this.outlet = outlet == null ? NOWHERE : outlet;
            this.phase = outlet == null ? MemberPhase.DETACHED : MemberPhase.NEW;
            this.seat = seat;
            this.seatedAt = seatedAt;
            this.since = since;
        }

        /** Ends the replay. Returns what runs after it, or null. */
        @Nullable
        Runnable endReplay() {
            Runnable waiting = behind;
            replays = false;
            behind = null;
            return waiting;
        }
    }

    /** The members at one moment. Immutable. */
    static final class Snapshot {
        static final Snapshot NOBODY = new Snapshot(List.of(), 0, 0);

        private final Subscriber[] sessions;
        // The seats of the sessions.
        private final int[] taken;
        private final int seats;
        private final long moment;

        private Snapshot(Collection<MemberLink> links, int seats, long moment) {
            this.sessions = new Subscriber[links.size()];
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

        Subscriber session(int index) {
            return sessions[index];
        }

        int seat(int index) {
            return taken[index];
        }

        /** Returns how many seats there are, including free ones. */
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
    MemberLink get(String session) {
        return links.get(session);
    }

    Collection<MemberLink> links() {
        return links.values();
    }

    Snapshot snapshot() {
        Snapshot known = snapshot;
        if (known == null) {
            known = new Snapshot(links.values(), seats, moment);
            snapshot = known;
        }
        return known;
    }

    /** Gives a session a new link. It replaces an earlier link of the session, and keeps its seat and its beginning. */
    MemberLink link(Subscriber session, @Nullable MemberConnection outlet, long now) {
        MemberLink before = links.get(session.id());
        MemberLink link = before != null
                ? new MemberLink(session, outlet, before.seat, before.seatedAt, before.since)
                : new MemberLink(session, outlet, freeSeats > 0 ? free[--freeSeats] : seats++, ++moment, now);
        links.put(session.id(), link);
        if (before == null) {
            snapshot = null;
        } else {
            changed(before);
        }
        return link;
    }

    /** Removes a member. Returns its link, or null if the session is not a member. */
    @Nullable
    MemberLink remove(Subscriber session) {
        MemberLink link = links.remove(session.id());
        if (link == null) {
            return null;
        }
        changed(link);
        if (link.phase == MemberPhase.LIVE) {
            // Otherwise its replay continues to the end of the log.
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

    /** Changes the phase of a link. */
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

    /** Returns the live links: an array that is never changed. */
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
