package io.realtime.examples.chat;

import io.realtime.examples.chat.ChatContract.Page;
import io.realtime.examples.chat.ChatContract.Posted;
import io.realtime.examples.chat.Conversations.Counter;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The messages in the database. A message and its rows of the {@link Outbox} are one transaction. Methods block. */
final class MessageStore {
    private static final String COLUMNS = "SELECT m.number, m.client_id, m.author, m.body, m.sent_at FROM message m"
            + " JOIN conversation c ON c.id = m.conversation WHERE c.name = ? AND ";

    private final Database database;

    MessageStore(Database database) {
        this.database = database;
    }

    /** What came of storing a message: the message as its author sees it, and whether it was not stored before. */
    record Stored(Posted message, boolean isNew) {}

    /**
     * Stores a message. If the author's client sends it again with the same id, it is not stored again. It counts as
     * read by its author.
     *
     * @throws io.realtime.RealtimeException with {@code conflict} if the author used the id for another message
     */
    Stored post(Conversation where, String author, String id, String text, long now) {
        return database.transaction(connection -> {
            Stored earlier = find(connection, where, author, id, text);
            return earlier != null ? earlier : insert(connection, where, author, id, text, now);
        });
    }

    private static @Nullable Stored find(
            Connection connection, Conversation where, String author, String id, String text) throws SQLException {
        return Sql.first(
                connection,
                "SELECT c.name, m.number, m.body, m.sent_at FROM message m"
                        + " JOIN conversation c ON c.id = m.conversation WHERE m.author = ? AND m.client_id = ?",
                row -> {
                    if (!row.getString(1).equals(where.key())
                            || !row.getString(3).equals(text)) {
                        throw ChatError.conflict("this id belongs to another message of yours");
                    }
                    String name = where.nameFor(author);
                    return new Stored(new Posted(name, row.getLong(2), id, author, text, row.getLong(4)), false);
                },
                author,
                id);
    }

    private static Stored insert(
            Connection connection, Conversation where, String author, String id, String text, long now)
            throws SQLException {
        Counter counter = Conversations.next(connection, where, now);
        long number = counter.last();
        Sql.update(
                connection,
                "INSERT INTO message (conversation, number, author, client_id, body, sent_at) VALUES (?, ?, ?, ?, ?, ?)",
                counter.id(),
                number,
                author,
                id,
                text,
                now);
        if (where.people().isEmpty()) {
            Outbox.toRoom(connection, where.key(), "said", new Posted(where.key(), number, id, author, text, now));
        }
        for (String person : where.people()) {
            Posted seen = new Posted(where.nameFor(person), number, id, author, text, now);
            Conversations.add(connection, counter.id(), person, number - 1);
            Outbox.toUser(connection, person, "said", seen);
        }
        Conversations.add(connection, counter.id(), author, number);
        Conversations.advance(connection, counter.id(), author, number);
        return new Stored(new Posted(where.nameFor(author), number, id, author, text, now), true);
    }

    /** Returns the newest messages before a number, in the order of their numbers. */
    Page before(Conversation where, String reader, long number, int limit) {
        List<Posted> newestFirst =
                page(where, reader, COLUMNS + "m.number < ? ORDER BY m.number DESC LIMIT ?", number, limit);
        boolean more = newestFirst.size() > limit;
        List<Posted> page = more ? newestFirst.subList(0, limit) : newestFirst;
        Collections.reverse(page);
        return new Page(page, more);
    }

    /** Returns the oldest messages after a number, in the order of their numbers. */
    Page after(Conversation where, String reader, long number, int limit) {
        List<Posted> oldestFirst =
                page(where, reader, COLUMNS + "m.number > ? ORDER BY m.number LIMIT ?", number, limit);
        boolean more = oldestFirst.size() > limit;
        return new Page(more ? oldestFirst.subList(0, limit) : oldestFirst, more);
    }

    /** Reads one more than the limit, if there is one more. */
    private List<Posted> page(Conversation where, String reader, String sql, long number, int limit) {
        String name = where.nameFor(reader);
        return database.transaction(connection -> Sql.list(
                connection,
                sql,
                row -> new Posted(
                        name, row.getLong(1), row.getString(2), row.getString(3), row.getString(4), row.getLong(5)),
                where.key(),
                number,
                limit + 1));
    }
}
