package io.realtime.server.internal.session;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.server.internal.room.LocalBroker;
import io.realtime.server.internal.room.RoomChannel;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The users' sessions and inboxes. Most users are never sent anything, so an inbox becomes a room only at its first
 * use. Until then it is unused: its sessions were told where it begins, and this class keeps that position for the
 * room.
 *
 * <p>Every session that was told so becomes a member before the first message is published. It is {@linkplain #add
 * added} before it asks whether the inbox {@linkplain #markUnused is unused}. The inbox is unused only while there is
 * no room. A publisher {@linkplain #awake looks at the sessions} after it has found or created the room. For each user
 * these three exclude each other: asking, creating the room, and ending the unused state. Safe for use by many threads.
 */
public final class Inboxes {
    private final LocalBroker broker;
    // The users that have sessions, by id.
    private final ConcurrentHashMap<String, Inbox> inboxes = new ConcurrentHashMap<>();

    /**
     * The sessions of one user.
     *
     * @param sessions a single session, or a set that is changed when there are several
     * @param begin where sessions that are not linked were told that the inbox begins; null if there are none
     * @param rooms the rooms that each further session is put in; immutable when empty
     */
    private record Inbox(
            Collection<ServerSession> sessions, @Nullable Position begin, Set<String> rooms) {}

    public Inboxes(LocalBroker broker) {
        this.broker = broker;
    }

    /** Returns the key of a user's inbox in the broker. */
    public static String key(String user) {
        return Names.USER + ":" + user;
    }

    /** Adds a session. Its number is higher than those of all other sessions of its user. */
    public void add(ServerSession session) {
        inboxes.compute(session.userId(), (user, known) -> {
            session.renumber();
            if (known == null) {
                return new Inbox(List.of(session), null, Set.of());
            }
            Collection<ServerSession> sessions = known.sessions;
            if (!(sessions instanceof Set)) {
                sessions = ConcurrentHashMap.newKeySet();
                sessions.addAll(known.sessions);
            }
            sessions.add(session);
            return new Inbox(sessions, known.begin, known.rooms);
        });
    }

    /**
     * Notes that each further session of a user is put in a room. Does nothing if the user has no session.
     *
     * @throws RealtimeException with {@code overloaded} if these are too many rooms
     */
    void join(String user, String room, int most) {
        inboxes.computeIfPresent(user, (id, known) -> {
            Set<String> rooms = known.rooms.isEmpty() ? ConcurrentHashMap.newKeySet() : known.rooms;
            if (rooms.size() >= most && !rooms.contains(room)) {
                throw new RealtimeException(
                        ErrorCode.OVERLOADED,
                        "a user is in " + most + " rooms, as limits.roomsPerUser allows",
                        true,
                        null);
            }
            rooms.add(room);
            return new Inbox(known.sessions, known.begin, rooms);
        });
    }

    /** Ends that. */
    void leave(String user, String room) {
        inboxes.computeIfPresent(user, (id, known) -> {
            if (!known.rooms.contains(room)) {
                return known;
            }
            known.rooms.remove(room);
            return known.rooms.isEmpty() ? new Inbox(known.sessions, known.begin, Set.of()) : known;
        });
    }

    /** Returns the rooms that each further session of a user is put in. */
    Set<String> rooms(String user) {
        Inbox inbox = inboxes.get(user);
        return inbox == null ? Set.of() : inbox.rooms;
    }

    public void remove(ServerSession session) {
        inboxes.computeIfPresent(session.userId(), (user, known) -> {
            if (!known.sessions.contains(session)) {
                return known;
            }
            boolean isLast = known.sessions.size() == 1;
            if (!isLast) {
                known.sessions.remove(session);
            }
            return isLast ? null : known;
        });
    }

    /** Returns a copy of a user's sessions, in the order in which they began. */
    public List<ServerSession> sessions(String user) {
        Inbox inbox = inboxes.get(user);
        return inbox == null
                ? List.of()
                : inbox.sessions.stream()
                        .sorted(Comparator.comparingLong(ServerSession::number))
                        .toList();
    }

    /** Returns how many sessions a user has. */
    public int size(String user) {
        Inbox inbox = inboxes.get(user);
        return inbox == null ? 0 : inbox.sessions.size();
    }

    /** Returns how many users have a session. */
    public int users() {
        return inboxes.size();
    }

    /**
     * Returns where a user's inbox will begin; null if it is a room, to which the session must be linked. For a session
     * that was added.
     */
    @Nullable
    Position markUnused(String user) {
        String key = key(user);
        @Nullable Position[] begin = new Position[1];
        inboxes.computeIfPresent(user, (id, known) -> {
            if (broker.find(key) != null) {
                return known;
            }
            begin[0] = known.begin != null ? known.begin : broker.end(key);
            return new Inbox(known.sessions, begin[0], known.rooms);
        });
        return begin[0];
    }

    /** Returns a user's inbox as a room; creates it if it does not exist. */
    public RoomChannel room(String user) {
        String key = key(user);
        while (true) {
            inboxes.compute(user, (id, known) -> {
                broker.room(key, Names.USER, known == null ? null : known.begin);
                return known;
            });
            RoomChannel room = broker.find(key);
            if (room != null) {
                return room;
            }
        }
    }

    /**
     * Returns a user's inbox as a room to publish to. All sessions that were told that it is unused are linked to it.
     */
    RoomChannel awake(String user) {
        RoomChannel room = room(user);
        Inbox inbox = inboxes.get(user);
        Position begin = inbox == null ? null : inbox.begin;
        if (inbox != null && begin != null) {
            Steps.each(inbox.sessions, session -> session.memberships().wake(Names.USER, begin));
            inboxes.computeIfPresent(
                    user, (id, now) -> broker.find(key(user)) == room ? new Inbox(now.sessions, null, now.rooms) : now);
        }
        return room;
    }
}
