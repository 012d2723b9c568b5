package io.realtime.examples.chat;

import io.realtime.examples.chat.ChatContract.Direct;
import io.realtime.examples.chat.ChatContract.Post;
import io.realtime.examples.chat.ChatContract.Typing;
import io.realtime.examples.chat.ChatContract.Typist;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** The chat's handlers on the WebSocket. All but typing goes through the {@link ChatService}. */
final class ChatHandlers {
    private final ChatService service;

    ChatHandlers(ChatService service) {
        this.service = service;
    }

    /** Adds the handlers and the rule for rooms. */
    RealtimeServer.Builder addTo(RealtimeServer.Builder builder) {
        return builder.allowJoin((session, room) -> Conversation.isRoom(room))
                .on(ChatContract.SAY, (session, message) -> say(session, message.requireRoom(), message.data()))
                .on(ChatContract.DIRECT, (session, message) -> direct(session, message.data()))
                .on(ChatContract.READ, (session, message) -> service.read(user(session), message.data()))
                .on(ChatContract.TYPING, (session, message) -> typing(session, message.room(), message.data()))
                .onRequest(ChatContract.OPEN, (session, open) -> service.open(user(session), open))
                .onRequest(ChatContract.PAGE, (session, query) -> service.page(user(session), query));
    }

    private void say(Session session, String room, Post post) {
        service.post(Conversation.room(room), user(session), idOf(post.id()), post.text());
    }

    private void direct(Session session, Direct direct) {
        String author = user(session);
        service.post(Conversation.direct(author, direct.to()), author, idOf(direct.id()), direct.text());
    }

    /** A client that names no id gets its message stored again when it sends it again. */
    private static String idOf(@Nullable String given) {
        return given == null ? UUID.randomUUID().toString() : given;
    }

    /** Typing is not stored: it is ephemeral, and readers let it expire. */
    private static void typing(Session session, @Nullable String room, Typing typing) {
        String user = user(session);
        if (typing.on() == null) {
            throw ChatError.badData("on is required");
        }
        if (room != null) {
            session.room(room).except(session.id()).send(ChatContract.TYPIST, new Typist(room, user, typing.on()));
            return;
        }
        // Checks the name.
        Conversation.direct(user, typing.to());
        session.connections()
                .user(Objects.requireNonNull(typing.to()))
                .inbox()
                .from(session)
                .send(ChatContract.TYPIST, new Typist("@" + user, user, typing.on()));
    }

    private static String user(Session session) {
        return session.user().id();
    }
}
