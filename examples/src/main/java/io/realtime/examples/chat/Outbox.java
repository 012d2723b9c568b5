package io.realtime.examples.chat;

import com.google.gson.Gson;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.SQLException;
import java.sql.Types;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The table of what was stored and is still to be published. A row is written in the transaction of what it announces,
 * so one exists exactly if the other does. Methods block.
 */
class Outbox {
    /** How many rows are read at once. */
    static final int BATCH = 100;

    private static final Gson GSON = new Gson();

    private final Database database;

    Outbox(Database database) {
        this.database = database;
    }

    /**
     * A message to publish.
     *
     * @param room where, or null if it is for a user
     * @param receiver the user whose inbox it is for, or null if it is for a room
     * @param data the payload in JSON
     */
    record Outgoing(
            long id, @Nullable String room, @Nullable String receiver, String event, String data) {}

    /** Adds a message for a room, within a transaction. */
    static void toRoom(Connection connection, String room, String event, Object data) throws SQLException {
        add(connection, room, null, event, data);
    }

    /** Adds a message for a user's inbox, within a transaction. */
    static void toUser(Connection connection, String user, String event, Object data) throws SQLException {
        add(connection, null, user, event, data);
    }

    private static void add(
            Connection connection, @Nullable String room, @Nullable String receiver, String event, Object data)
            throws SQLException {
        try (PreparedStatement insert =
                connection.prepareStatement("INSERT INTO outbox (room, receiver, event, data) VALUES (?, ?, ?, ?)")) {
            setText(insert, 1, room);
            setText(insert, 2, receiver);
            insert.setString(3, event);
            insert.setString(4, GSON.toJson(data));
            insert.executeUpdate();
        }
    }

    private static void setText(PreparedStatement statement, int index, @Nullable String text) throws SQLException {
        if (text == null) {
            statement.setNull(index, Types.VARCHAR);
        } else {
            statement.setString(index, text);
        }
    }

    /** Returns the oldest rows, at most {@link #BATCH}. */
    List<Outgoing> oldest() {
        return database.transaction(connection -> Sql.list(
                connection,
                "SELECT id, room, receiver, event, data FROM outbox ORDER BY id LIMIT " + BATCH,
                row -> new Outgoing(
                        row.getLong(1), row.getString(2), row.getString(3), row.getString(4), row.getString(5))));
    }

    /** Removes rows that were published. */
    void remove(List<Long> ids) {
        database.transaction(connection -> {
            try (PreparedStatement delete = connection.prepareStatement("DELETE FROM outbox WHERE id = ?")) {
                for (long id : ids) {
                    delete.setLong(1, id);
                    delete.addBatch();
                }
                return delete.executeBatch();
            }
        });
    }
}
