package io.realtime.server.internal.session;

import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.Position;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Interceptor;
import io.realtime.server.Member;
import io.realtime.server.MemberCount;
import io.realtime.server.Room;
import io.realtime.server.Session;
import io.realtime.server.internal.limits.Tags;
import io.realtime.server.internal.room.Members.MemberLink;
import io.realtime.server.internal.room.Recipients;
import io.realtime.server.internal.room.RoomChannel;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** The implementation of {@link Room}: a view of a room in the broker. */
final class ServerRoom implements Room {
    // Of a key and of a reason.
    private static final int MOST_BYTES = 255;

    private final SessionContext context;
    // The room's key in the broker, or the user's id.
    private final String key;
    private final String name;
    // The id of the user whom messages are from; null for the server.
    private final @Nullable String from;
    private final Recipients to;

    private ServerRoom(SessionContext context, String key, String name, @Nullable String from, Recipients to) {
        this.context = context;
        this.key = key;
        this.name = name;
        this.from = from;
        this.to = to;
    }

    static ServerRoom named(SessionContext context, String name, @Nullable String from) {
        return new ServerRoom(context, Names.requireRoom(name), name, from, Recipients.EVERYONE);
    }

    static ServerRoom inbox(SessionContext context, String user) {
        return new ServerRoom(context, user, Names.USER, null, Recipients.EVERYONE);
    }

    static ServerRoom everyone(SessionContext context) {
        return new ServerRoom(context, Names.ALL, Names.ALL, null, Recipients.EVERYONE);
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Room from(Session session) {
        return new ServerRoom(context, key, name, session.user().id(), to);
    }

    @Override
    public Room except(Collection<String> sessionIds) {
        return to(to.except(sessionIds));
    }

    @Override
    public Room only(Collection<String> sessionIds) {
        return to(to.only(sessionIds));
    }

    @Override
    public Room having(String tag, String value) {
        Tags.require(tag, value);
        return to(to.having(tag, value));
    }

    @Override
    public Room filter(Predicate<? super Session> test) {
        return to(to.filter(test));
    }

    private Room to(Recipients fewer) {
        return new ServerRoom(context, key, name, from, fewer);
    }

    @Override
    public <T> CompletableFuture<@Nullable Position> send(Event<T> event, T data) {
        return publish(event, data, null);
    }

    @Override
    public <T> CompletableFuture<Position> send(Event<T> event, T data, String key) {
        if (event.isEphemeral()) {
            throw new IllegalArgumentException(event + " is ephemeral: no log remembers its key");
        }
        requireLine("key", key);
        return publish(event, data, key).thenApply(Objects::requireNonNull);
    }

    private static void requireLine(String what, String text) {
        if (!Names.isLine(text, MOST_BYTES)) {
            throw new IllegalArgumentException(
                    what + " '" + Names.abbreviate(text) + "' is not one line of 1 to " + MOST_BYTES + " bytes");
        }
    }

    private <T> CompletableFuture<@Nullable Position> publish(Event<T> event, T data, @Nullable String once) {
        context.state().requireOpen();
        Interceptor.Publishing chain = context.middleware().publishing();
        return chain == null
                ? CompletableFuture.completedFuture(publish(event, data, once, null))
                : Publication.through(
                        chain,
                        name,
                        isInbox() ? key : null,
                        event,
                        data,
                        from,
                        it -> publish(it.event(), it.data(), once, it.trace()));
    }

    private @Nullable Position publish(
            Event<?> event, @Nullable Object data, @Nullable String once, @Nullable String trace) {
        Outgoing message = event.isEphemeral() ? Outgoing.ephemeral(event.name()) : Outgoing.of(event.name());
        message.room(name)
                .from(from)
                .trace(trace)
                .ts(context.scheduler().currentTimeMillis())
                .data(data, context.payloads().of(event.type()));
        return isInbox()
                ? context.broker().publish(() -> context.inboxes().awake(key), message, to, once)
                : context.broker().publish(key, name, message, to, once);
    }

    private boolean isInbox() {
        return name.equals(Names.USER);
    }

    @Override
    public CompletableFuture<Boolean> delete(Position position) {
        RoomChannel room = context.broker().find(channelKey());
        return CompletableFuture.completedFuture(room != null && room.delete(position));
    }

    @Override
    public CompletableFuture<Position> purge() {
        context.state().requireOpen();
        return CompletableFuture.completedFuture(context.broker().purge(this::channel));
    }

    @Override
    public CompletableFuture<Position> close(String reason) {
        if (name.startsWith("@")) {
            throw new IllegalStateException("'" + name + "' cannot be closed");
        }
        requireLine("reason", reason);
        Steps.each(links(), link -> link.session.leave(name, reason));
        return purge();
    }

    @Override
    public <T extends @Nullable Object> T serially(Callable<T> task) throws Exception {
        return context.turns().take(channelKey(), task);
    }

    @Override
    public CompletableFuture<HistoryPage> history(HistoryQuery query) {
        return RoomHistory.read(context, channelKey(), name, query);
    }

    /** Returns the room; makes it if it does not exist. */
    private RoomChannel channel() {
        return isInbox() ? context.inboxes().awake(key) : context.broker().room(key, name, null);
    }

    /** Returns the room's key in the broker. */
    private String channelKey() {
        return isInbox() ? Inboxes.key(key) : key;
    }

    @Override
    public CompletableFuture<List<Member>> members() {
        List<Member> members = isInbox()
                ? context.inboxes().sessions(key).stream()
                        .map(session -> session.member(session.since()))
                        .toList()
                : links().stream().map(link -> link.session.member(link.since)).toList();
        return CompletableFuture.completedFuture(members);
    }

    @Override
    public List<Session> localMembers() {
        return isInbox()
                ? List.copyOf(context.inboxes().sessions(key))
                : links().stream().<Session>map(link -> link.session).toList();
    }

    @Override
    public CompletableFuture<MemberCount> count() {
        List<Session> members = localMembers();
        int online = (int) members.stream().filter(Session::isConnected).count();
        return CompletableFuture.completedFuture(new MemberCount(online, members.size()));
    }

    private List<MemberLink> links() {
        RoomChannel room = context.broker().find(key);
        return room == null ? List.of() : room.members();
    }

    @Override
    public String toString() {
        return "Room{" + name + "}";
    }
}
