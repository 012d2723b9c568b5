package io.realtime.server;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A room to send to: a named one, a user's inbox, or {@code @all}. It is a light, immutable view. The room need not
 * exist, and may have any number of views. {@link #except} and {@link #filter} return views with fewer receivers. Safe
 * for use by many threads.
 */
public final class Room {
    private final ServerCore core;
    // The room's key in the broker, or the user's id.
    private final String key;
    private final String name;
    private final @Nullable Session sender;
    private final Recipients to;

    private Room(ServerCore core, String key, String name, @Nullable Session sender, Recipients to) {
        this.core = core;
        this.key = key;
        this.name = name;
        this.sender = sender;
        this.to = to;
    }

    static Room named(ServerCore core, String name, @Nullable Session sender) {
        return new Room(core, Names.requireRoom(name), name, sender, Recipients.EVERYONE);
    }

    static Room inbox(ServerCore core, String user, @Nullable Session sender) {
        return new Room(core, user, Names.USER, sender, Recipients.EVERYONE);
    }

    static Room everyone(ServerCore core, @Nullable Session sender) {
        return new Room(core, Names.ALL, Names.ALL, sender, Recipients.EVERYONE);
    }

    /** Returns the room's name on the wire. */
    public String name() {
        return name;
    }

    /** Returns a view whose messages are not delivered to these sessions, also when they read the log later. */
    public Room except(Session... sessions) {
        return new Room(core, key, name, sender, to.except(sessions));
    }

    /**
     * Returns a view whose messages are delivered only to members that pass the test when the message is sent. A member
     * that joins later does not see such a message in the history.
     *
     * @param test called on the sending thread, once for each member and message; must not block
     */
    public Room filter(Predicate<? super Session> test) {
        return new Room(core, key, name, sender, to.filter(test));
    }

    /**
     * Publishes a message to the room. Returns when the message is in the log. It has then been handed to the
     * connections of the members, or is about to be.
     *
     * @return its position in the log; null for an ephemeral event, which has none
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes},
     *     with {@code overloaded} when {@link Limits#rooms} or {@link Limits#logBytes} allow no further room, and with
     *     {@code closed} when the server is closed. In all cases nobody gets the message
     */
    public <T> @Nullable Position send(Event<T> event, T data) {
        core.requireOpen();
        Outgoing message = event.isEphemeral() ? Outgoing.ephemeral(event.name()) : Outgoing.of(event.name());
        message.room(name)
                .from(sender == null ? null : sender.user().id())
                .ts(core.scheduler().currentTimeMillis())
                .data(data, core.payloads().of(event.type()));
        return isInbox()
                ? core.broker().publish(() -> core.inboxes().awake(key), message, to)
                : core.broker().publish(key, name, message, to);
    }

    private boolean isInbox() {
        return name.equals(Names.USER);
    }

    /**
     * Runs a task while no other task of this room runs. Tasks run in the order of the calls, each on its calling
     * thread, which waits. So when tasks store a message and then {@link #send} it, what is stored has the order of the
     * room, whichever threads call: see {@code docs/database.md}. Sends outside of tasks do not wait. All views of a
     * room share this order.
     *
     * @return what the task returns
     * @throws IllegalStateException when called within such a task, for this room or another
     * @throws InterruptedException when the thread is interrupted while it waits; the task does not run
     * @throws Exception what the task throws
     */
    public <T extends @Nullable Object> T serially(Callable<T> task) throws Exception {
        return core.turns().take(isInbox() ? Inboxes.key(key) : key, task);
    }

    /** Returns the members now. Sessions that are kept without a connection are included. */
    public List<Session> members() {
        if (isInbox()) {
            return core.inboxes().sessions(key);
        }
        RoomChannel room = core.broker().find(key);
        return room == null ? List.of() : room.members();
    }

    /** Returns how many members there are now. */
    public int size() {
        if (isInbox()) {
            return core.inboxes().size(key);
        }
        RoomChannel room = core.broker().find(key);
        return room == null ? 0 : room.size();
    }

    @Override
    public String toString() {
        return "Room{" + name + "}";
    }
}
