package io.realtime.server;

import io.realtime.Position;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/**
 * The users' sessions and inboxes. Most users are never sent anything, so an inbox is a room only from its first use on.
 * Until then it sleeps: its sessions were told where it begins, and that is kept here for the room.
 *
 * <p>Every session that was told so is a member before the first message is published: it is {@linkplain #add known}
 * before it asks whether the inbox {@linkplain #markUnused sleeps}, it does only while there is no room, and whoever {@linkplain
 * #awake publishes} looks at the sessions when there is one. Asking, making the room and ending the sleep exclude each
 * other for each user. Safe for use by many threads.
 */
final class Inboxes {
    private final LocalBroker broker;
    private final ConcurrentHashMap<String, Inbox> inboxes = new ConcurrentHashMap<>(); // of users with sessions, by id

    /**
     * @param sessions one, or a set in which they are changed
     * @param begin what sessions that are not linked were told; null when there is none such
     */
    private record Inbox(
            Collection<Session> sessions, @Nullable Position begin) {}

    Inboxes(LocalBroker broker) {
        this.broker = broker;
    }

    /** How the broker names a user's inbox. */
    static String key(String user) {
        return Names.USER + ":" + user;
    }

    /** Adds a session, numbered after all that its user has. */
    void add(Session session) {
        inboxes.compute(session.userId(), (user, known) -> {
            session.renumber();
            if (known == null) {
                return new Inbox(List.of(session), null);
            }
            Collection<Session> sessions = known.sessions;
            if (!(sessions instanceof Set)) {
                sessions = ConcurrentHashMap.newKeySet();
                sessions.addAll(known.sessions);
            }
            sessions.add(session);
            return new Inbox(sessions, known.begin);
        });
    }

    void remove(Session session) {
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

    /** Returns the sessions of a user: a copy. */
    List<Session> sessions(String user) {
        Inbox inbox = inboxes.get(user);
        return inbox == null ? List.of() : List.copyOf(inbox.sessions);
    }

    /** Returns how many sessions a user has. */
    int size(String user) {
        Inbox inbox = inboxes.get(user);
        return inbox == null ? 0 : inbox.sessions.size();
    }

    /** Returns how many users have a session. */
    int users() {
        return inboxes.size();
    }

    /** Returns where a user's inbox will begin; null when it is a room, to be linked to. For a session that was added. */
    @Nullable
    Position markUnused(String user) {
        String key = key(user);
        @Nullable Position[] begin = new Position[1];
        inboxes.computeIfPresent(user, (id, known) -> {
            if (broker.find(key) != null) {
                return known;
            }
            begin[0] = known.begin != null ? known.begin : broker.end(key);
            return new Inbox(known.sessions, begin[0]);
        });
        return begin[0];
    }

    /** Returns a user's inbox as a room. */
    RoomChannel room(String user) {
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

    /** Returns a user's inbox as a room, with all sessions that were told that it sleeps: to publish to it. */
    RoomChannel awake(String user) {
        RoomChannel room = room(user);
        Inbox inbox = inboxes.get(user);
        Position begin = inbox == null ? null : inbox.begin;
        if (inbox != null && begin != null) {
            Steps.each(inbox.sessions, session -> session.wake(Names.USER, begin));
            inboxes.computeIfPresent(
                    user, (id, now) -> broker.find(key(user)) == room ? new Inbox(now.sessions, null) : now);
        }
        return room;
    }
}
