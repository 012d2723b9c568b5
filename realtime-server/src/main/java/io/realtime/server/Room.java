package io.realtime.server;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A room to send to: a named one, a user's inbox, or everyone. A light, immutable view: it need not exist yet, any
 * number of views of a room may, and {@link #except} and {@link #filter} return narrowed ones. Safe for use by many
 * threads.
 */
public final class Room {
    private final ServerCore core;
    private final String key; // the room's in the broker, or the user's id
    private final String name;
    private final @Nullable Session sender;
    private final Set<String> except;
    private final @Nullable Predicate<? super Session> filter;

    private Room(
            ServerCore core,
            String key,
            String name,
            @Nullable Session sender,
            Set<String> except,
            @Nullable Predicate<? super Session> filter) {
        this.core = core;
        this.key = key;
        this.name = name;
        this.sender = sender;
        this.except = except;
        this.filter = filter;
    }

    static Room named(ServerCore core, String name, @Nullable Session sender) {
        return new Room(core, Names.requireRoom(name), name, sender, Set.of(), null);
    }

    static Room inbox(ServerCore core, String user, @Nullable Session sender) {
        return new Room(core, user, Names.USER, sender, Set.of(), null);
    }

    static Room everyone(ServerCore core, @Nullable Session sender) {
        return new Room(core, Names.ALL, Names.ALL, sender, Set.of(), null);
    }

    /** Returns the name as it is on the wire. */
    public String name() {
        return name;
    }

    /** Returns a view whose messages leave these sessions out, also when they read the log later. */
    public Room except(Session... sessions) {
        Set<String> all = new HashSet<>(except);
        for (Session session : sessions) {
            all.add(session.id());
        }
        return new Room(core, key, name, sender, Set.copyOf(all), filter);
    }

    /**
     * Returns a view whose messages are for those members only that pass now, at the time of sending. Who joins later
     * does not see such a message in the history.
     *
     * @param test called on the sending thread, once for each member and message; must not block
     */
    public Room filter(Predicate<? super Session> test) {
        Predicate<? super Session> before = filter;
        Predicate<? super Session> both = before == null ? test : s -> before.test(s) && test.test(s);
        return new Room(core, key, name, sender, except, both);
    }

    /**
     * Publishes to the room and returns when the message is in its log; members with a connection have then been handed
     * it, or are about to be.
     *
     * @return its place in the log; null for an ephemeral event, which has none
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    public <T> @Nullable Position send(Event<T> event, T data) {
        Outgoing message = event.isEphemeral() ? Outgoing.ephemeral(event.name()) : Outgoing.of(event.name());
        message.room(name)
                .from(sender == null ? null : sender.user().id())
                .ts(core.scheduler().currentTimeMillis())
                .data(data, event.type());
        return isInbox()
                ? core.broker().publish(() -> core.inboxes().awake(key), message, audience())
                : core.broker().publish(key, name, message, audience());
    }

    private boolean isInbox() {
        return name.equals(Names.USER);
    }

    private Audience audience() {
        if (filter == null) {
            return except.isEmpty() ? Audience.EVERYONE : new Audience(null, except);
        }
        Set<String> passed = new HashSet<>();
        for (Session member : members()) {
            if (filter.test(member)) {
                passed.add(member.id());
            }
        }
        return new Audience(passed, except);
    }

    /** Returns the members now, those included whose connection is lost and whose session is kept. */
    public List<Session> members() {
        if (isInbox()) {
            return core.inboxes().sessions(key);
        }
        RoomState room = core.broker().find(key);
        return room == null ? List.of() : room.members();
    }

    /** Returns how many members there are now. */
    public int size() {
        if (isInbox()) {
            return core.inboxes().size(key);
        }
        RoomState room = core.broker().find(key);
        return room == null ? 0 : room.size();
    }

    @Override
    public String toString() {
        return "Room{" + name + "}";
    }
}
