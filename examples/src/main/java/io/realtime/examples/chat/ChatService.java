package io.realtime.examples.chat;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.examples.chat.ChatContract.Open;
import io.realtime.examples.chat.ChatContract.Page;
import io.realtime.examples.chat.ChatContract.PageQuery;
import io.realtime.examples.chat.ChatContract.Read;
import io.realtime.examples.chat.ChatContract.Summary;
import java.time.Clock;
import java.util.Comparator;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What users do, whether over the WebSocket or over HTTP: checks the input, stores, and wakes the relay. Nothing is
 * published here. Methods block for the database, and throw {@link RealtimeException}: {@code bad_data}, {@code
 * forbidden}, {@code conflict}, {@code overloaded}, or {@code unavailable}, which is retryable.
 */
final class ChatService {
    /** The maximum length of a text in UTF-16 units. */
    static final int MAX_TEXT = 4000;

    static final int MAX_ID = 64;
    static final int MAX_PAGE = 100;
    private static final int MAX_ROOMS = 50;

    private final MessageStore messages;
    private final Conversations conversations;
    private final Runnable changed;
    private final Clock clock;

    /** @param changed called after a change that may have filled the outbox; must not block */
    ChatService(Database database, Runnable changed, Clock clock) {
        this.messages = new MessageStore(database);
        this.conversations = new Conversations(database);
        this.changed = changed;
        this.clock = clock;
    }

    /** Stores a message, once for each id of its author, and returns it as its author sees it. */
    MessageStore.Stored post(Conversation where, String author, @Nullable String id, @Nullable String text) {
        requireUser(author);
        if (id == null || id.isEmpty() || id.length() > MAX_ID || !isAscii(id)) {
            throw ChatError.badData("id is 1 to " + MAX_ID + " characters of ASCII, chosen by the client");
        }
        if (text == null || text.isBlank() || text.length() > MAX_TEXT || !isStorable(text)) {
            throw ChatError.badData("text is 1 to " + MAX_TEXT + " characters of valid Unicode, not all of them blank");
        }
        try {
            return messages.post(where, author, id, text, clock.millis());
        } finally {
            // Also after a failure: a commit may have succeeded although its answer was lost.
            changed.run();
        }
    }

    /** Moves a read mark forward. */
    void read(String reader, Read read) {
        Long number = read.number();
        if (number == null || number < 0) {
            throw ChatError.badData("number is required");
        }
        try {
            conversations.read(Conversation.named(read.conversation(), requireUser(reader)), reader, number);
        } finally {
            changed.run();
        }
    }

    /** Opens rooms, and returns the user's conversations. */
    List<Summary> open(String user, Open open) {
        List<@Nullable String> rooms = Objects.requireNonNullElse(open.rooms(), List.of());
        if (rooms.size() > MAX_ROOMS) {
            throw ChatError.badData("more than " + MAX_ROOMS + " rooms at once");
        }
        // Sorted: two transactions that insert the same rooms must not wait for each other.
        List<Conversation> sorted = rooms.stream()
                .map(Conversation::room)
                .distinct()
                .sorted(Comparator.comparing(Conversation::key))
                .toList();
        return conversations.open(sorted, requireUser(user), clock.millis());
    }

    /** Returns a page of a conversation. */
    Page page(String reader, PageQuery query) {
        Conversation where = Conversation.named(query.conversation(), requireUser(reader));
        int limit = Objects.requireNonNullElse(query.limit(), MAX_PAGE);
        if (limit < 1 || limit > MAX_PAGE) {
            throw ChatError.badData("limit is 1 to " + MAX_PAGE);
        }
        Long after = query.after();
        return after != null
                ? messages.after(where, reader, after, limit)
                : messages.before(where, reader, Objects.requireNonNullElse(query.before(), Long.MAX_VALUE), limit);
    }

    /** A token may name anyone; the database has room for names that the login would issue. */
    private static String requireUser(String name) {
        if (UserName.fault(name) != null) {
            throw new RealtimeException(ErrorCode.FORBIDDEN, "the user's name is not one of this chat's");
        }
        return name;
    }

    private static boolean isAscii(String id) {
        return id.chars().allMatch(c -> c > ' ' && c < 0x7f);
    }

    /** No database stores half of a surrogate pair, and PostgreSQL no NUL. */
    private static boolean isStorable(String text) {
        return text.codePoints().allMatch(c -> c != 0 && Character.getType(c) != Character.SURROGATE);
    }
}
