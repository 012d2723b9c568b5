package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.EntryBudget;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.RoomListener.JoinCause;
import io.realtime.server.RoomListener.LeaveCause;
import io.realtime.server.internal.room.LocalBroker;
import io.realtime.server.internal.room.RoomChannel;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * The rooms that one session is in, its inboxes included. It joins and leaves them, links them to a new connection, and
 * announces each change. Guarded by the session's lock: methods take it, unless they assert that the caller holds it.
 */
public final class Memberships {
    /** The bytes of {@code $welcome} that may describe the application's rooms. */
    private static final int MOST_STATE_BYTES = 16 * 1024;

    /** The bytes that one room takes of these, without its name. */
    private static final int STATE_BYTES = 120;

    private final SessionContext context;
    private final ServerSession session;
    private final ReentrantLock lock;
    private final RoomAnnouncements announcements;
    private final RoomEvents events;
    // By wire name. Immutable with at most one entry, else concurrent.
    private volatile Map<String, RoomChannel> rooms = Map.of(); // written under lock
    // At the end of the session: the rooms that it has not left yet.
    @GuardedBy("lock")
    private List<RoomChannel> leaving = List.of();
    // Rooms that the application has put the session in.
    @GuardedBy("lock")
    private Set<String> placed = Set.of();
    // The rooms that the session was in at its end.
    private volatile Set<String> lastRooms = Set.of(); // written once, under lock
    // Rooms that the connection was not told of yet.
    @GuardedBy("lock")
    private Set<String> unlinked = Set.of();
    // Rooms that a request of an older connection may not join.
    @GuardedBy("lock")
    private Set<String> turnedOut = Set.of();
    // How many rooms $rejoin may still name, in addition to the unlinked ones.
    @GuardedBy("lock")
    private long rejoins;

    /** @param lock the session's */
    Memberships(
            SessionContext context,
            ServerSession session,
            ReentrantLock lock,
            RoomAnnouncements announcements,
            RoomEvents events) {
        this.context = context;
        this.session = session;
        this.lock = lock;
        this.announcements = announcements;
        this.events = events;
    }

    /** Returns whether the session is in the room, or has this inbox. Takes no lock. */
    boolean contains(String name) {
        return rooms.containsKey(name);
    }

    /** Returns a room that the session is in, or null. Takes no lock. */
    @Nullable
    RoomChannel get(String name) {
        return rooms.get(name);
    }

    /** Returns the names of the application's rooms, sorted; of a session that is over, those at its end. */
    Set<String> names() {
        return session.isOver() ? new TreeSet<>(lastRooms) : now();
    }

    /** Notes that the session is over. The caller holds the lock. */
    void end() {
        assert lock.isHeldByCurrentThread();
        lastRooms = now();
    }

    /** Returns what each room is handing over to the session now. The caller holds the lock. */
    List<LocalBroker.Change> deliveries() {
        assert lock.isHeldByCurrentThread();
        return rooms.values().stream().map(room -> room.delivery(session)).toList();
    }

    /** Ends the delivery to a connection that is lost. Takes no lock. */
    void detach(SessionConnection gone) {
        rooms.forEach((name, room) -> room.detach(session, gone));
    }

    /**
     * Empties the table of rooms. Returns those that the session must still be taken out of, until {@link #left}. The
     * caller holds the lock.
     */
    @SuppressWarnings("GuardedBy")
    List<RoomChannel> leaveAll() {
        assert lock.isHeldByCurrentThread();
        if (!rooms.isEmpty()) {
            leaving = List.copyOf(rooms.values());
            rooms = Map.of();
        }
        return leaving;
    }

    /** Notes that the session was taken out of all rooms. The caller holds the lock. */
    @SuppressWarnings("GuardedBy")
    void left() {
        assert lock.isHeldByCurrentThread();
        leaving = List.of();
    }

    /** Tells the listener of what it was not told yet, and that the session has left all rooms; in the mailbox. */
    void tellEnd() {
        events.tellAll();
        for (String room : new TreeSet<>(lastRooms)) {
            events.tell(listener -> listener.onLeave(session, room, LeaveCause.SESSION_ENDED));
        }
    }

    /** Puts the session in a room, for the application. */
    void place(String room) {
        lock.lock();
        try {
            if (!rooms.containsKey(room) && !session.isOver()) {
                announceJoined(link(session.connection(), room, null, 0), null);
                joined(room, JoinCause.SERVER);
            }
            placed = placed.isEmpty() ? new HashSet<>() : placed;
            placed.add(room);
        } finally {
            lock.unlock();
        }
        changed();
    }

    /**
     * Puts the session in a room, or takes it out, as the application has decided for the sessions of its user. Threads
     * that change the decision meanwhile call this too: the last of them finds that it holds.
     */
    void follow(String room) {
        boolean isPlaced;
        do {
            isPlaced = context.inboxes().rooms(session.userId()).contains(room);
            if (isPlaced) {
                place(room);
            } else {
                remove(room, null);
            }
        } while (isPlaced != context.inboxes().rooms(session.userId()).contains(room));
    }

    /** Puts a session that begins in the rooms of its user's sessions, before it has a connection. */
    public void inherit() {
        try {
            context.inboxes().rooms(session.userId()).forEach(this::follow);
        } catch (RealtimeException tooMany) {
            Steps.warn(context.log(), session + " begins without some rooms of its user", tooMany);
        }
    }

    /**
     * Takes the session out of a room, for the application.
     *
     * @param reason for the client, or null
     */
    void remove(String room, @Nullable String reason) {
        lock.lock();
        try {
            LocalBroker.LeaveChange gone = exit(room, LeaveCause.SERVER);
            SessionConnection to = session.connection();
            if (gone != null && to != null) {
                announcements.addLeft(to, gone, reason);
            }
        } finally {
            lock.unlock();
        }
        changed();
    }

    /**
     * Links the rooms to a new connection, and takes the session out of forbidden ones. The caller holds the lock.
     *
     * @param idle gets the rooms that deliver nothing to the connection
     */
    @SuppressWarnings("GuardedBy")
    Attached attach(ServerSession.ResumeRequest claim, List<RoomChannel> idle) {
        assert lock.isHeldByCurrentThread();
        List<LocalBroker.JoinChange> links = new ArrayList<>();
        boolean isFirst = !rooms.containsKey(Names.ALL);
        Map<String, Protocol.RoomPosition> states = new LinkedHashMap<>();
        for (String name : List.of(Names.SESSION, Names.USER, Names.ALL)) {
            Position since = claim.positions().get(name);
            Position begin = markUnused(name);
            if (begin != null) {
                states.put(name, atEnd(begin, since));
            } else if (isFirst && name.equals(Names.SESSION)) {
                // Messages from before the first connection are new to the client.
                Protocol.RoomPosition linked = relink(name, context.broker().origin(), links);
                states.put(
                        name, linked.isLost() ? linked : atEnd(context.broker().origin(), since));
            } else {
                states.put(name, relink(name, since, links));
            }
        }
        unlinked = Set.of();
        EntryBudget budget =
                new EntryBudget(Math.min(MOST_STATE_BYTES, context.limits().outboundBytes() / 4));
        for (String name : named(claim.positions().keySet())) {
            boolean fits = budget.take(name, STATE_BYTES);
            if (claim.forbidden().contains(name) && !placed.contains(name)) {
                turnedOut = turnedOut.isEmpty() ? new HashSet<>() : turnedOut;
                turnedOut.add(name);
                idle.add(Objects.requireNonNull(exit(name, LeaveCause.REFUSED)).room());
                if (fits) {
                    states.put(name, new Protocol.RoomPosition("", 0, false, "unauthorized"));
                }
            } else if (fits && (!claim.isPartial() || claim.positions().containsKey(name))) {
                states.put(name, relink(name, claim.positions().get(name), links));
            } else {
                unlinked = unlinked.isEmpty() ? new LinkedHashSet<>() : unlinked;
                unlinked.add(name);
                idle.add(Objects.requireNonNull(rooms.get(name)));
            }
        }
        rejoins = (long) context.limits().roomsPerSession() + placed.size();
        announce(List.of(), to -> links.forEach(LocalBroker.JoinChange::start));
        return new Attached(states, !unlinked.isEmpty());
    }

    /** Returns what a client is told of an empty log. */
    private Protocol.RoomPosition atEnd(Position end, @Nullable Position since) {
        Protocol.RoomPosition at = RoomChannel.atEnd(end, since);
        if (at.isLost()) {
            context.counters().gap();
        }
        return at;
    }

    /** Returns the names of the application's rooms, sorted. */
    private Set<String> now() {
        Set<String> names = new TreeSet<>(rooms.keySet());
        names.removeIf(name -> name.startsWith("@"));
        return names;
    }

    /**
     * Handles {@code $join} after its rule has answered: subscribes the session at the client's position, also when it
     * is in the room already. If the rule does not allow it, takes the session out of the room.
     *
     * <p>A connection that is no longer the session's gets no answer, and changes nothing that a later connection was
     * told. But the session becomes a member, for the messages that it sent after the request, unless a resume has
     * since found that it may not join.
     *
     * @param refusal why the session may not join; null if it may
     */
    public void join(
            SessionConnection asker,
            @Nullable String ref,
            String name,
            Protocol.Join wish,
            @Nullable ErrorData refusal) {
        lock.lock();
        try {
            if (session.isOver()) {
                return;
            }
            Decision decision = decide(asker, name, wish, refusal);
            ErrorData error = decision.error;
            if (decision.joined != null) {
                announceJoined(decision.joined, ref);
            } else if (error != null && session.connection() == asker) {
                Outgoing frame = Outgoing.of(Protocol.ERROR).ref(ref).room(name).data(error, ErrorData.class);
                announce(decision.changes(), to -> to.send(frame.frame()));
            }
        } finally {
            lock.unlock();
        }
        changed();
    }

    /**
     * Handles {@code $rejoin}: many joins with one answer.
     *
     * @param asked the rooms that the session was not in, which the rule was asked about
     * @param forbidden those of them that it may not join, and why
     * @param excess the rooms that are refused because they are {@linkplain #takeRejoins too many}
     * @param isLast whether the connection is then told, by {@code $joined}, of rooms that the client did not name
     */
    public void rejoin(
            SessionConnection asker,
            @Nullable String ref,
            Map<String, Protocol.@Nullable Join> wishes,
            Set<String> asked,
            Map<String, ErrorData> forbidden,
            Set<String> excess,
            boolean isLast) {
        List<Decision> decisions = new ArrayList<>();
        lock.lock();
        try {
            if (session.isOver()) {
                return;
            }
            for (Map.Entry<String, Protocol.@Nullable Join> wish : wishes.entrySet()) {
                String name = wish.getKey();
                Protocol.Join own = wish.getValue() == null ? new Protocol.Join(null, null) : wish.getValue();
                boolean isAllowed = rooms.containsKey(name) || (asked.contains(name) && !forbidden.containsKey(name));
                ErrorData refusal = isAllowed ? null : forbidden.getOrDefault(name, Rules.NO);
                decisions.add(excess.contains(name) ? tooMany(asker, name) : decide(asker, name, own, refusal));
            }
            if (session.connection() != asker) {
                return;
            }
            List<LocalBroker.Change> before = new ArrayList<>();
            decisions.forEach(decision -> before.addAll(decision.changes()));
            announce(before, to -> {
                Map<String, Protocol.Rejoined> answers = new LinkedHashMap<>();
                decisions.forEach(decision -> answers.put(decision.name, decision.answer()));
                Protocol.RejoinReply data = new Protocol.RejoinReply(answers);
                Outgoing reply = Outgoing.of(Protocol.REPLY).ref(ref).data(data, Protocol.RejoinReply.class);
                to.send(reply.frame(), () -> decisions.forEach(Decision::start));
            });
            if (isLast) {
                rejoins = 0;
                for (String name : new ArrayList<>(unlinked)) {
                    begin(name);
                }
            }
        } finally {
            lock.unlock();
        }
        changed();
    }

    /** Begins the delivery of a room that the connection was not told of. */
    @GuardedBy("lock")
    private void begin(String name) {
        try {
            announceJoined(link(session.connection(), name, null, 0), null);
        } catch (RuntimeException | Error broken) {
            // For example out of memory. This ends the connection, and the next one is told all.
            announce(List.of(), to -> {
                throw broken;
            });
        }
    }

    /**
     * Counts the rooms that a connection names in {@code $rejoin}. To the rate it is one message, however many rules it
     * asks and replays it begins; so the rooms are bounded here. A room that waits to be named never exceeds the bound.
     * Nor does a room that the application had put the session in when the connection came, once each.
     *
     * @return the rooms beyond the bound
     */
    public Set<String> takeRejoins(SessionConnection asker, Set<String> names) {
        lock.lock();
        try {
            boolean isCurrent = session.connection() == asker;
            long most = isCurrent ? rejoins : context.limits().roomsPerSession();
            Set<String> counted = new LinkedHashSet<>(placed);
            // Placed rooms are counted first: the session may not be refused these.
            counted.retainAll(names);
            counted.addAll(names);
            counted.removeAll(unlinked);
            int taken = (int) Math.min(most, counted.size());
            rejoins -= isCurrent ? taken : 0;
            return counted.stream().skip(taken).collect(Collectors.toSet());
        } finally {
            lock.unlock();
        }
    }

    /** The result of a request to join: the session has joined, or there is an error and it is not in the room. */
    private record Decision(
            String name,
            LocalBroker.@Nullable JoinChange joined,
            @Nullable ErrorData error,
            LocalBroker.@Nullable LeaveChange left) {
        Protocol.Rejoined answer() {
            if (joined == null) {
                return new Protocol.Rejoined(null, 0, false, null, 0, error);
            }
            Protocol.RoomPosition at = joined.at();
            return new Protocol.Rejoined(
                    at.epoch(),
                    at.offset(),
                    at.recovered(),
                    at.reason(),
                    joined.room().size(),
                    null);
        }

        List<LocalBroker.Change> changes() {
            return joined != null ? List.of(joined) : left != null ? List.of(left) : List.of();
        }

        void start() {
            if (joined != null) {
                joined.start();
            }
        }
    }

    /** Decides about a request to join, and carries it out. */
    @GuardedBy("lock")
    private Decision decide(SessionConnection asker, String name, Protocol.Join wish, @Nullable ErrorData refusal) {
        boolean isIn = rooms.containsKey(name);
        boolean isCurrent = session.connection() == asker;
        // Requests of older connections came before this one.
        turnedOut = isCurrent ? Set.of() : turnedOut;
        if (refusal != null && !placed.contains(name)) {
            return refused(name, refusal, isCurrent ? exit(name, LeaveCause.REFUSED) : null);
        }
        int most = context.limits().roomsPerSession();
        if (!isIn && countRooms() >= most) {
            return refusal(
                    name, ErrorCode.OVERLOADED, "the session is in " + most + " rooms and may join no more", null);
        }
        int history = wish.history() == null ? 0 : Math.max(0, wish.history());
        try {
            boolean isLate = !isCurrent && (isIn || turnedOut.contains(name));
            LocalBroker.JoinChange joined =
                    isCurrent ? link(asker, name, wish.since(), history) : isLate ? null : link(null, name, null, 0);
            if (!isIn && joined != null) {
                joined(name, JoinCause.CLIENT);
            }
            if (isCurrent && joined != null) {
                show(joined.room(), wish);
            }
            return new Decision(name, isCurrent ? joined : null, null, null);
        } catch (RealtimeException tooMany) {
            // The server has too many rooms. The other rooms of a $rejoin are not affected.
            return refused(name, ErrorData.of(tooMany), isCurrent ? exit(name, LeaveCause.REFUSED) : null);
        } catch (RuntimeException | Error broken) {
            Steps.log(context.log(), session + " could not join a room", broken);
            ErrorData error = ErrorData.of(ErrorCode.INTERNAL, "the room could not be joined", false);
            return refused(name, error, isCurrent ? exit(name, LeaveCause.REFUSED) : null);
        }
    }

    /** Tells a member's room what its join says of presence. A state that is one too many costs no membership. */
    @GuardedBy("lock")
    private void show(RoomChannel room, Protocol.Join wish) {
        if (wish.presence() != null) {
            room.watchPresence(session, wish.presence());
        }
        if (wish.state() != null) {
            try {
                room.setState(session, wish.state());
            } catch (RealtimeException tooMuch) {
                context.counters().refusedMessage(tooMuch.code().value());
            }
        }
    }

    /** Refuses a room of {@code $rejoin} that is one too many. */
    @GuardedBy("lock")
    private Decision tooMany(SessionConnection asker, String name) {
        String why = "$rejoin names more rooms than a session may be in";
        return refusal(
                name, ErrorCode.OVERLOADED, why, session.connection() == asker ? exit(name, LeaveCause.REFUSED) : null);
    }

    private Decision refusal(String name, ErrorCode code, String why, LocalBroker.@Nullable LeaveChange left) {
        return refused(name, ErrorData.of(code, why, false), left);
    }

    private Decision refused(String name, ErrorData error, LocalBroker.@Nullable LeaveChange left) {
        context.counters().refusedMessage(error.code());
        return new Decision(name, null, error, left);
    }

    /** Returns how many of the application's rooms the session is in. */
    @GuardedBy("lock")
    private int countRooms() {
        int count = rooms.size();
        for (String inbox : List.of(Names.SESSION, Names.USER, Names.ALL)) {
            count -= rooms.containsKey(inbox) ? 1 : 0;
        }
        return count;
    }

    /** Handles {@code $leave}. Does nothing for a connection that is gone: the client asks again on the next one. */
    public void leave(SessionConnection asker, @Nullable String ref, String name) {
        lock.lock();
        try {
            if (session.connection() != asker) {
                return;
            }
            LocalBroker.LeaveChange gone = exit(name, LeaveCause.CLIENT);
            Outgoing reply = Outgoing.of(Protocol.REPLY).ref(ref).room(name);
            announce(gone == null ? List.of() : List.of(gone), to -> to.send(reply.frame()));
        } finally {
            lock.unlock();
        }
        changed();
    }

    /**
     * Handles {@code $presence}. A wish to be told counts for this connection only, and for those that resume the
     * session.
     *
     * @throws RealtimeException with {@code forbidden} if the session is not in the room, or the room has no presence;
     *     with {@code overloaded} if there is no memory for the state
     */
    public void presence(SessionConnection asker, String name, Protocol.PresenceRequest wish) {
        Boolean watch = (wish.watch() == null && wish.state() == null) ? Boolean.TRUE : wish.watch();
        lock.lock();
        try {
            RoomChannel room = name.startsWith("@") ? null : rooms.get(name);
            boolean isKnown = room != null;
            if (room != null && watch != null && session.connection() == asker) {
                isKnown = room.watchPresence(session, watch);
            }
            if (room != null && wish.state() != null) {
                isKnown &= room.setState(session, wish.state());
            }
            if (!isKnown) {
                throw new RealtimeException(
                        ErrorCode.FORBIDDEN, "no presence of room '" + Names.abbreviate(name) + "' for this session");
            }
        } finally {
            lock.unlock();
        }
    }

    /** Notes that the session's tags have changed. The caller holds the lock. */
    void tagsChanged() {
        assert lock.isHeldByCurrentThread();
        rooms.forEach((name, room) -> room.tagsChanged(session));
    }

    @GuardedBy("lock")
    private LocalBroker.JoinChange link(
            @Nullable SessionConnection to, String name, @Nullable Position since, int history) {
        LocalBroker.JoinChange joined = context.broker().link(name, name, session, to, since, history);
        put(joined.room());
        noLongerUnlinked(name);
        return joined;
    }

    @GuardedBy("lock")
    private void put(RoomChannel room) {
        if (rooms.isEmpty()) {
            rooms = Map.of(room.name, room);
        } else if (rooms.get(room.name) != room) {
            manyRooms().put(room.name, room);
        }
    }

    @GuardedBy("lock")
    private Map<String, RoomChannel> manyRooms() {
        if (!(rooms instanceof ConcurrentHashMap)) {
            rooms = new ConcurrentHashMap<>(rooms);
        }
        return rooms;
    }

    /** Returns the rooms that the session is in without the application having put it there. */
    public Set<String> unplacedRooms() {
        lock.lock();
        try {
            Set<String> names = names();
            names.removeAll(placed);
            return names;
        } finally {
            lock.unlock();
        }
    }

    /** Takes the session out of a room. Returns null when the session was not in it. */
    @GuardedBy("lock")
    private LocalBroker.@Nullable LeaveChange exit(String name, LeaveCause cause) {
        RoomChannel room = rooms.containsKey(name) ? manyRooms().remove(name) : null;
        if (!placed.isEmpty()) {
            placed.remove(name);
        }
        if (room != null) {
            noLongerUnlinked(name);
            if (!session.isOver()) {
                // Otherwise the end of the session tells it.
                events.add(listener -> listener.onLeave(session, name, cause));
            }
            return room.remove(session);
        }
        return null;
    }

    @GuardedBy("lock")
    private void joined(String name, JoinCause cause) {
        events.add(listener -> listener.onJoin(session, name, cause));
    }

    /** Tells the client, and the listener, of changes; called without the lock. */
    private void changed() {
        announcements.send();
        events.wake();
    }

    @GuardedBy("lock")
    private void noLongerUnlinked(String name) {
        if (!unlinked.isEmpty()) {
            unlinked.remove(name);
        }
    }

    /** Returns the application's rooms that the session is in, those of {@code first} before the others. */
    @GuardedBy("lock")
    private Set<String> named(Set<String> first) {
        Set<String> names = new LinkedHashSet<>(first);
        names.retainAll(rooms.keySet());
        names.addAll(rooms.keySet());
        names.removeIf(name -> name.startsWith("@"));
        return names;
    }

    /** Returns where an inbox will begin that nobody has used yet. Returns null for every other room. */
    private @Nullable Position markUnused(String name) {
        if (rooms.containsKey(name)) {
            return null;
        }
        return switch (name) {
            case Names.SESSION -> context.broker().origin();
            case Names.USER -> context.inboxes().markUnused(session.userId());
            default -> null;
        };
    }

    @GuardedBy("lock")
    private Protocol.RoomPosition relink(String name, @Nullable Position since, List<LocalBroker.JoinChange> links) {
        // Only a managed client can say what it has seen. So what the user's devices have not seen waits for one.
        int history = session.isManaged() && name.equals(Names.USER) ? RoomChannel.UNREAD : 0;
        LocalBroker.JoinChange joined =
                context.broker().link(() -> context.room(name, session), session, session.connection(), since, history);
        put(joined.room());
        links.add(joined);
        return joined.at();
    }

    /** The rooms that a connection is told of in its welcome, and whether the session is in more. */
    public record Attached(Map<String, Protocol.RoomPosition> rooms, boolean isPartial) {
        static final Attached NOTHING = new Attached(Map.of(), false);
    }

    /**
     * Returns the session's own inbox, or null when the session is over. Most sessions need none, so it is created when
     * something is to be written or read. The client was told that it is empty, and reads it from its beginning.
     */
    @Nullable
    RoomChannel inbox() {
        RoomChannel known = rooms.get(Names.SESSION);
        if (known == null) {
            wake(Names.SESSION, context.broker().origin());
            known = rooms.get(Names.SESSION);
        }
        return known;
    }

    /**
     * Links the session to one of its inboxes that the client was told is empty, and begins the delivery. Does nothing
     * when the session is over or linked. A session without a first connection links the user's inbox when it gets one.
     * It may link its own inbox, which nobody else would keep, as soon as it is in the tables.
     */
    void wake(String inbox, Position begin) {
        LocalBroker.JoinChange woken;
        SessionConnection to;
        lock.lock();
        try {
            boolean isTold = rooms.containsKey(Names.ALL) || inbox.equals(Names.SESSION);
            if (session.isOver() || rooms.containsKey(inbox) || !isTold) {
                return;
            }
            to = session.connection();
            woken = context.broker().link(() -> context.room(inbox, session), session, to, begin, 0);
            put(woken.room());
        } finally {
            lock.unlock();
        }
        if (to != null) {
            to.whenWelcomed(woken::start);
        }
    }

    /** Returns the room of this name, or null when it does not exist. */
    @Nullable
    public RoomChannel find(String room) {
        return context.broker().find(context.keyOf(room, session));
    }

    /** Returns a page of a room's log. Does not create the room: one that does not exist has an empty page. */
    public RoomChannel.Page page(String room, Protocol.HistoryRequest query, int maxBytes, int longest) {
        Position begin = markUnused(room);
        String key = context.keyOf(room, session);
        while (begin == null) {
            RoomChannel log = context.broker().find(key);
            if (log != null) {
                return log.page(session, query, maxBytes, longest);
            }
            Position end = context.broker().end(key);
            // Null when the room was created meanwhile; then it is looked up again.
            begin = context.broker().find(key) == null ? end : null;
        }
        return RoomChannel.emptyPage(begin, query);
    }

    /** Adds an announcement. Without a connection it does nothing: the next welcome tells all. */
    @GuardedBy("lock")
    private void announce(List<? extends LocalBroker.Change> before, Consumer<SessionConnection> what) {
        SessionConnection to = session.connection();
        if (to != null) {
            announcements.add(to, before, what);
        }
    }

    @GuardedBy("lock")
    private void announceJoined(LocalBroker.JoinChange joined, @Nullable String ref) {
        SessionConnection to = session.connection();
        if (to != null) {
            announcements.addJoined(to, joined, ref);
        }
    }
}
