package io.realtime.examples.chat;

import io.realtime.examples.chat.ChatContract.Read;
import io.realtime.examples.chat.ChatContract.Summary;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Who takes part in which conversation, and up to which message each has read it. Methods block. */
final class Conversations {
    /** How many conversations a user may open, and how many are listed: those with the newest messages. */
    static final int MAX = 200;

    private final Database database;

    Conversations(Database database) {
        this.database = database;
    }

    /** A conversation's id in the database, and the number of its last message. */
    record Counter(long id, long last) {}

    /**
     * Returns the conversation with its next number, within a transaction. Its row stays locked until the end of the
     * transaction. So numbers are committed in their order, and none is left out.
     */
    static Counter next(Connection connection, Conversation where, long now) throws SQLException {
        int updated = Sql.update(
                connection,
                "UPDATE conversation SET last_number = last_number + 1, changed_at = ? WHERE name = ?",
                now,
                where.key());
        if (updated == 0) {
            insert(connection, where, 1, now);
        }
        return existing(connection, where);
    }

    private static void insert(Connection connection, Conversation where, long last, long now) throws SQLException {
        // If another transaction inserts it at the same time, this one is repeated.
        Sql.update(
                connection,
                "INSERT INTO conversation (name, last_number, changed_at) VALUES (?, ?, ?)",
                where.key(),
                last,
                now);
    }

    private static Counter existing(Connection connection, Conversation where) throws SQLException {
        Counter found = find(connection, where);
        if (found == null) {
            throw new IllegalStateException("conversations are never deleted");
        }
        return found;
    }

    private static @Nullable Counter find(Connection connection, Conversation where) throws SQLException {
        return Sql.first(
                connection,
                "SELECT id, last_number FROM conversation WHERE name = ?",
                row -> new Counter(row.getLong(1), row.getLong(2)),
                where.key());
    }

    /** Adds a person to a conversation, within a transaction. Returns false if the person is in it already. */
    static boolean add(Connection connection, long conversation, String person, long read) throws SQLException {
        return Sql.update(
                        connection,
                        "INSERT INTO participant (person, conversation, read_number)"
                                + " SELECT CAST(? AS VARCHAR(64)), c.id, CAST(? AS BIGINT) FROM conversation c WHERE c.id = ?"
                                + " AND NOT EXISTS (SELECT 1 FROM participant p WHERE p.person = ? AND p.conversation = c.id)",
                        person,
                        read,
                        conversation,
                        person)
                > 0;
    }

    /** Moves a read mark forward, within a transaction. Returns false if it is there already. */
    static boolean advance(Connection connection, long conversation, String person, long number) throws SQLException {
        return Sql.update(
                        connection,
                        "UPDATE participant SET read_number = ?"
                                + " WHERE person = ? AND conversation = ? AND read_number < ?",
                        number,
                        person,
                        conversation,
                        number)
                > 0;
    }

    /**
     * Moves a read mark forward, to the last message at most, and announces it to all clients of the person. Does
     * nothing if it is there already, or if the person does not take part.
     */
    void read(Conversation where, String person, long number) {
        database.transaction(connection -> {
            Counter counter = find(connection, where);
            long read = counter == null ? 0 : Math.min(number, counter.last());
            boolean moves = counter != null && advance(connection, counter.id(), person, read);
            if (moves) {
                Outbox.toUser(connection, person, "read", new Read(where.nameFor(person), read));
            }
            return moves;
        });
    }

    /**
     * Adds rooms to the conversations of a person, who has read all that is in them, and returns the person's
     * conversations.
     *
     * @throws io.realtime.RealtimeException with {@code overloaded} if they would be more than {@link #MAX}
     */
    List<Summary> open(List<Conversation> rooms, String person, long now) {
        return database.transaction(connection -> {
            boolean isMore = false;
            for (Conversation room : rooms) {
                if (find(connection, room) == null) {
                    insert(connection, room, 0, now);
                }
                Counter counter = existing(connection, room);
                isMore |= add(connection, counter.id(), person, counter.last());
            }
            if (isMore) {
                requireFew(connection, person);
            }
            return list(connection, person);
        });
    }

    private static void requireFew(Connection connection, String person) throws SQLException {
        List<Long> opened = Sql.list(
                connection,
                "SELECT p.conversation FROM participant p JOIN conversation c ON c.id = p.conversation"
                        + " WHERE p.person = ? AND c.name LIKE 'chat:%' LIMIT " + (MAX + 1),
                row -> row.getLong(1),
                person);
        if (opened.size() > MAX) {
            throw ChatError.overloaded("you have opened " + MAX + " rooms, and cannot open another");
        }
    }

    private static List<Summary> list(Connection connection, String person) throws SQLException {
        return Sql.list(
                connection,
                "SELECT c.name, c.last_number, p.read_number FROM participant p"
                        + " JOIN conversation c ON c.id = p.conversation"
                        + " WHERE p.person = ? ORDER BY c.changed_at DESC, c.id LIMIT " + MAX,
                row -> new Summary(
                        Conversation.ofKey(row.getString(1)).nameFor(person), row.getLong(2), row.getLong(3)),
                person);
    }
}
