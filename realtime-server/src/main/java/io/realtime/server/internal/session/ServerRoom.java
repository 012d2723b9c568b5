package io.realtime.server.internal.session;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Room;
import io.realtime.server.Session;
import io.realtime.server.internal.room.Recipients;
import io.realtime.server.internal.room.RoomChannel;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The implementation of {@link Room}: a view of a room in the broker. */
final class ServerRoom implements Room {
    private final SessionContext context;
    // The room's key in the broker, or the user's id.
    private final String key;
    private final String name;
    private final @Nullable ServerSession sender;
    private final Recipients to;

    private ServerRoom(SessionContext context, String key, String name, @Nullable ServerSession sender, Recipients to) {
        this.context = context;
        this.key = key;
        this.name = name;
        this.sender = sender;
        this.to = to;
    }

    static ServerRoom named(SessionContext context, String name, @Nullable ServerSession sender) {
        return new ServerRoom(context, Names.requireRoom(name), name, sender, Recipients.EVERYONE);
    }

    static ServerRoom inbox(SessionContext context, String user, @Nullable ServerSession sender) {
        return new ServerRoom(context, user, Names.USER, sender, Recipients.EVERYONE);
    }

    static ServerRoom everyone(SessionContext context, @Nullable ServerSession sender) {
        return new ServerRoom(context, Names.ALL, Names.ALL, sender, Recipients.EVERYONE);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Room except(Session... sessions) {
        return new ServerRoom(context, key, name, sender, to.except(sessions));
    }

    @Override
    public Room filter(Predicate<? super Session> test) {
        return new ServerRoom(context, key, name, sender, to.filter(test));
    }

    @Override
    public <T> @Nullable Position send(Event<T> event, T data) {
        context.state().requireOpen();
        Outgoing message = event.isEphemeral() ? Outgoing.ephemeral(event.name()) : Outgoing.of(event.name());
        message.room(name)
                .from(sender == null ? null : sender.user().id())
                .ts(context.scheduler().currentTimeMillis())
                .data(data, context.payloads().of(event.type()));
        return isInbox()
                ? context.broker().publish(() -> context.inboxes().awake(key), message, to)
                : context.broker().publish(key, name, message, to);
    }

    private boolean isInbox() {
        return name.equals(Names.USER);
    }

    @Override
    public <T extends @Nullable Object> T serially(Callable<T> task) throws Exception {
        return context.turns().take(isInbox() ? Inboxes.key(key) : key, task);
    }

    @Override
    public List<Session> members() {
        if (isInbox()) {
            return List.copyOf(context.inboxes().sessions(key));
        }
        RoomChannel room = context.broker().find(key);
        return room == null ? List.of() : room.members();
    }

    @Override
    public int size() {
        if (isInbox()) {
            return context.inboxes().size(key);
        }
        RoomChannel room = context.broker().find(key);
        return room == null ? 0 : room.size();
    }

    @Override
    public String toString() {
        return "Room{" + name + "}";
    }
}
