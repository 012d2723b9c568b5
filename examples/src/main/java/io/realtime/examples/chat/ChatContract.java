package io.realtime.examples.chat;

import io.realtime.Event;
import io.realtime.Request;
import io.realtime.TypeRef;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The chat's messages. A conversation's name is {@code chat:lobby} for a room, and {@code @bob} for the one with Bob.
 * {@link ChatService} checks what a client sends, so every field of it may be null here.
 */
interface ChatContract {
    /** A text for the room that the envelope names. The id is the client's, and the same when it is sent again. */
    record Post(@Nullable String id, @Nullable String text) {}

    /** A text for one user, who need not be online. */
    record Direct(
            @Nullable String to,
            @Nullable String id,
            @Nullable String text) {}

    /**
     * A stored message, as one of its readers gets it.
     *
     * @param conversation its name for this reader
     * @param number its number in the conversation: 1, 2, 3 and so on, without a hole
     * @param id the id that its author's client gave it
     * @param at when it was stored, in milliseconds since 1970
     */
    record Posted(String conversation, long number, String id, String user, String text, long at) {}

    /** Up to which number a user has read a conversation. From a client, and to all clients of the user. */
    record Read(@Nullable String conversation, @Nullable Long number) {}

    /** Whether the sender is typing: in the envelope's room, or to one user. */
    record Typing(@Nullable Boolean on, @Nullable String to) {}

    /** Whether another user is typing. */
    record Typist(String conversation, String user, boolean on) {}

    /** The rooms that a page shows. */
    record Open(@Nullable List<@Nullable String> rooms) {}

    /** A conversation of a user: the number of its last message, and of the last one that the user has read. */
    record Summary(String conversation, long last, long read) {}

    /** Asks for the newest messages before a number, or the oldest after one. With neither, for the newest. */
    record PageQuery(
            @Nullable String conversation,
            @Nullable Long before,
            @Nullable Long after,
            @Nullable Integer limit) {}

    /** Messages in the order of their numbers, and whether there are more in the direction of the query. */
    record Page(List<Posted> messages, boolean more) {}

    Event<Post> SAY = Event.of("say", Post.class);
    Event<Direct> DIRECT = Event.of("direct", Direct.class);
    Event<Read> READ = Event.of("read", Read.class);
    Event<Typing> TYPING = Event.ephemeral("typing", Typing.class);
    Event<Typist> TYPIST = Event.ephemeral("typing", Typist.class);

    /** Adds these rooms to the user's conversations, and returns all of them. */
    Request<Open, List<Summary>> OPEN = Request.of("open", Open.class, new TypeRef<List<Summary>>() {});

    Request<PageQuery, Page> PAGE = Request.of("page", PageQuery.class, Page.class);
}
