package io.realtime.examples;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.TypeRef;
import io.realtime.client.ClientRoom;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Room;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.SimulatedProcess;
import io.realtime.testing.TestEnvironment;
import io.realtime.testing.TestEnvironmentExtension;
import java.io.IOException;
import java.net.URI;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.SortedMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import javax.sql.DataSource;
import org.h2.jdbcx.JdbcConnectionPool;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.ExtendWith;

/** The code of docs/database.md: it runs here, and stands there to the letter. */
@Timeout(120)
@ExtendWith(TestEnvironmentExtension.class)
@SuppressWarnings("FutureReturnValueIgnored") // as an application does that shows what comes
class DatabasePageIT {
    // @start contract
    interface Chat {
        record Say(String id, String text) {} // the client makes the id, and repeats it when it says this again

        record Said(long row, String id, String user, String text) {}

        record After(String room, long row) {}

        Event<Say> SAY = Event.of("chat.say", Say.class);
        Event<Said> SAID = Event.of("chat.said", Said.class);
        Request<After, List<Said>> HISTORY = Request.of("chat.history", After.class, new TypeRef<List<Said>>() {});
    }
    // @end

    // @start store
    static class Store {
        static final String TABLE = """
                CREATE TABLE IF NOT EXISTS message (
                    row_number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
                    room VARCHAR(256) NOT NULL,
                    author VARCHAR(256) NOT NULL,
                    id VARCHAR(64) NOT NULL,
                    text VARCHAR(65536) NOT NULL,
                    UNIQUE (room, author, id))""";
        static final int PAGE = 500;

        private final DataSource database;

        Store(DataSource database) {
            this.database = database;
        }

        /** Stores a message once, and returns it with the row that it has. */
        Chat.Said save(String room, String author, Chat.Say say) throws SQLException {
            try (Connection connection = database.getConnection()) {
                try (PreparedStatement find = connection.prepareStatement(
                        "SELECT row_number, id, author, text FROM message WHERE room = ? AND author = ? AND id = ?")) {
                    find.setString(1, room);
                    find.setString(2, author);
                    find.setString(3, say.id());
                    List<Chat.Said> stored = read(find);
                    if (!stored.isEmpty()) {
                        return stored.get(0);
                    }
                }
                try (PreparedStatement insert = connection.prepareStatement(
                        "INSERT INTO message (room, author, id, text) VALUES (?, ?, ?, ?)",
                        Statement.RETURN_GENERATED_KEYS)) {
                    insert.setString(1, room);
                    insert.setString(2, author);
                    insert.setString(3, say.id());
                    insert.setString(4, say.text());
                    insert.executeUpdate();
                    try (ResultSet keys = insert.getGeneratedKeys()) {
                        keys.next();
                        return new Chat.Said(keys.getLong(1), say.id(), author, say.text());
                    }
                }
            }
        }

        /** Returns what a room has behind a row, the oldest first. */
        List<Chat.Said> after(String room, long row) throws SQLException {
            try (Connection connection = database.getConnection();
                    PreparedStatement select = connection.prepareStatement(
                            "SELECT row_number, id, author, text FROM message WHERE room = ? AND row_number > ?"
                                    + " ORDER BY row_number LIMIT " + PAGE)) {
                select.setString(1, room);
                select.setLong(2, row);
                return read(select);
            }
        }

        private static List<Chat.Said> read(PreparedStatement query) throws SQLException {
            try (ResultSet rows = query.executeQuery()) {
                List<Chat.Said> all = new ArrayList<>();
                while (rows.next()) {
                    all.add(new Chat.Said(rows.getLong(1), rows.getString(2), rows.getString(3), rows.getString(4)));
                }
                return all;
            }
        }
    }
    // @end

    // @start server
    static final class ChatServer {
        private final Store store;

        ChatServer(Store store) {
            this.store = store;
        }

        RealtimeServer.Builder builder() {
            return RealtimeServer.builder()
                    .authenticator(credentials -> CompletableFuture.completedFuture(
                            Authentication.of(Objects.requireNonNull(credentials.token())))) // yours checks it
                    .allowJoin((session, room) -> room.startsWith("chat:"))
                    .on(
                            Chat.SAY,
                            (session, message) -> say(
                                    session.room(message.requireRoom()),
                                    session.user().id(),
                                    message.data()))
                    .onRequest(Chat.HISTORY, (session, after) -> {
                        if (!session.isIn(after.room())) {
                            throw new RealtimeException(ErrorCode.FORBIDDEN, "not a member of the room");
                        }
                        return store.after(after.room(), after.row());
                    });
        }

        /** Stores, then publishes. A REST endpoint calls it with {@code server.connections().room("chat:42")}. */
        void say(Room room, String author, Chat.Say say) throws Exception {
            room.serially(() -> room.send(Chat.SAID, store.save(room.name(), author, say)));
        }
    }
    // @end

    // @start client
    static final class ChatView {
        private final RealtimeClient client;
        private final ClientRoom room;
        final SortedMap<Long, Chat.Said> shown = new ConcurrentSkipListMap<>(); // by row: sorted, nothing twice

        ChatView(RealtimeClient client, String name) {
            this.client = client;
            this.room = client.room(name);
            room.on(Chat.SAID, said -> show(said.data()));
            room.onReload(gap -> load(lastRow()).thenApply(loaded -> null)); // all behind the gap is wanted
            room.join().thenCompose(joined -> load(0));
        }

        private CompletionStage<Void> load(long row) {
            return client.request(Chat.HISTORY, new Chat.After(room.name(), row))
                    .thenCompose(rows -> {
                        rows.forEach(this::show);
                        return rows.size() < Store.PAGE
                                ? CompletableFuture.completedFuture(null)
                                : load(rows.get(rows.size() - 1).row());
                    });
        }

        private void show(Chat.Said said) {
            shown.put(said.row(), said);
        }

        private long lastRow() {
            return shown.isEmpty() ? 0 : shown.lastKey();
        }
    }
    // @end

    private JdbcConnectionPool database;
    private Store store;

    @BeforeEach
    void openDatabase() throws SQLException {
        database =
                JdbcConnectionPool.create("jdbc:h2:mem:" + getClass().getSimpleName() + ";DB_CLOSE_DELAY=-1", "", "");
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute(Store.TABLE);
        }
        store = new Store(database);
    }

    @AfterEach
    void dropDatabase() throws SQLException {
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute("SHUTDOWN");
        }
        database.dispose();
    }

    private List<Chat.Said> rows(String room) throws SQLException {
        List<Chat.Said> all = new ArrayList<>();
        List<Chat.Said> page = store.after(room, 0);
        while (!page.isEmpty()) {
            all.addAll(page);
            page = store.after(room, page.get(page.size() - 1).row());
        }
        return all;
    }

    /** The order that a member heard is the order of the rows, though handlers of many sessions ran in parallel. */
    @Test
    void rowsHaveTheOrderOfTheRoom() throws Exception {
        int sessions = 8;
        int each = 500;
        List<RealtimeClient> clients = new ArrayList<>();
        Queue<Long> heard = new ConcurrentLinkedQueue<>();
        try (RealtimeServer server =
                new ChatServer(store).builder().port(0).build().start()) {
            URI uri = URI.create("ws://localhost:" + server.port() + "/ws");
            for (int i = 0; i < sessions; i++) {
                RealtimeClient client =
                        RealtimeClient.builder(uri).token("user-" + i).build();
                clients.add(client);
                if (i == 0) {
                    var unused =
                            client.on(Chat.SAID, said -> heard.add(said.data().row()));
                }
                client.connect().get(10, TimeUnit.SECONDS);
                client.room("chat:42").join().get(10, TimeUnit.SECONDS);
            }
            List<CompletableFuture<Void>> sent = new ArrayList<>();
            for (int n = 0; n < each; n++) {
                for (RealtimeClient client : clients) {
                    sent.add(client.room("chat:42").send(Chat.SAY, new Chat.Say("m" + n, "message " + n)));
                }
            }
            CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new)).get(60, TimeUnit.SECONDS);
            await().until(() -> heard.size() == sessions * each);
            clients.forEach(RealtimeClient::close);
        }
        assertEquals(rows("chat:42").stream().map(Chat.Said::row).toList(), List.copyOf(heard));
    }

    /** The process dies behind the commit and before the broadcast; the client says it again to the next process. */
    @Test
    void messageStoredBeforeACrashIsNeitherLostNorDoubled(TestEnvironment test) throws Exception {
        SimulatedProcess first = test.time().newProcess();
        ServerTransport transport = test.network().serverTransport();
        AtomicInteger saved = new AtomicInteger();
        Store dying = new Store(database) {
            @Override
            Chat.Said save(String room, String author, Chat.Say say) throws SQLException {
                if (!first.isAlive()) { // a simulated process runs its task to the end
                    throw new SQLException("the process is dead");
                }
                Chat.Said said = super.save(room, author, say);
                if (saved.incrementAndGet() == 5) {
                    test.network().crash(transport);
                    first.kill();
                }
                return said;
            }
        };
        RealtimeServer server = new ChatServer(dying)
                .builder()
                .port(8080)
                .transport(transport)
                .scheduler(first)
                .executor(first)
                .build()
                .start();
        ChatView ada = view(test, server.port(), "ada");
        ChatView bob = view(test, server.port(), "bob");
        test.settle();
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        for (int n = 0; n < 10; n++) {
            sent.add(ada.room.send(Chat.SAY, new Chat.Say("m" + n, "message " + n)));
            sent.add(bob.room.send(Chat.SAY, new Chat.Say("m" + n, "message " + n)));
        }
        test.time().advance(Duration.ofSeconds(1));
        assertEquals(5, rows("chat:42").size());
        assertTrue(ada.shown.size() < 5, "the fifth was not published");
        test.autoClose(start(test, store));
        test.await(CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new)));
        test.settle();
        List<Chat.Said> rows = rows("chat:42");
        assertEquals(20, rows.size());
        assertEquals(rows, List.copyOf(ada.shown.values()));
        assertEquals(rows, List.copyOf(bob.shown.values()));
    }

    @Test
    void messageThatDatabaseRefusedReachesNobodyAndCanBeSaidAgain(TestEnvironment test) throws Exception {
        test.autoClose(start(test, store));
        ChatView ada = view(test, 8080, "ada");
        test.settle();
        execute("ALTER TABLE message RENAME TO gone");
        CompletableFuture<Void> sent = ada.room.send(Chat.SAY, new Chat.Say("m1", "hello"));
        RemoteException refused = assertInstanceOf(
                RemoteException.class,
                assertThrows(CompletionException.class, () -> test.await(sent)).getCause());
        assertEquals(ErrorCode.INTERNAL, refused.code());
        assertTrue(ada.shown.isEmpty());
        execute("ALTER TABLE gone RENAME TO message");
        test.await(ada.room.send(Chat.SAY, new Chat.Say("m1", "hello")));
        test.settle();
        assertEquals(rows("chat:42"), List.copyOf(ada.shown.values()));
        assertEquals(1, ada.shown.size());
    }

    @Test
    void messageOfARestEndpointReachesTheRoom(TestEnvironment test) throws Exception {
        ChatServer chat = new ChatServer(store);
        RealtimeServer server = test.autoClose(start(test, store));
        ChatView ada = view(test, 8080, "ada");
        test.settle();
        chat.say(server.connections().room("chat:42"), "rest", new Chat.Say("r1", "from a form"));
        chat.say(server.connections().room("chat:42"), "rest", new Chat.Say("r1", "from a form")); // posted twice
        test.settle();
        assertEquals(1, ada.shown.size());
        assertEquals(rows("chat:42"), List.copyOf(ada.shown.values()));
    }

    private static RealtimeServer start(TestEnvironment test, Store store) {
        return new ChatServer(store)
                .builder()
                .port(8080)
                .transport(test.network().serverTransport())
                .scheduler(test.time())
                .executor(test.time())
                .build()
                .start();
    }

    private static ChatView view(TestEnvironment test, int port, String user) {
        RealtimeClient client = test.autoClose(RealtimeClient.builder(test.uri(port))
                .token(user)
                .transport(test.network().clientTransport())
                .scheduler(test.time())
                .callbackExecutor(test.time())
                .build());
        ChatView view = new ChatView(client, "chat:42");
        test.await(client.connect());
        return view;
    }

    private void execute(String sql) throws SQLException {
        try (Connection connection = database.getConnection();
                Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    @Test
    void pageShowsThisCode() throws IOException {
        ShownCode.assertStandsIn(
                "docs/database.md",
                DatabasePageIT.class,
                List.of("contract", "store", "server", "client"),
                UnaryOperator.identity());
    }
}
