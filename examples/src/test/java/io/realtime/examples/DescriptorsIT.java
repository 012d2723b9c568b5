package io.realtime.examples;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.Request;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.testing.RawWebSocket;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogManager;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * What holds when a server's process has no descriptor left, and that more than once: those who are connected go on,
 * newcomers wait, the server says what is wrong, once in the log, and recovers by itself.
 */
@Timeout(120)
@DisabledOnOs(value = OS.WINDOWS, disabledReason = "no ulimit")
@Isolated("measures processes that need the machine")
class DescriptorsIT {
    private static final int DESCRIPTORS = 200; // the JVM needs some of them itself
    private static final int CONNECTIONS = 1_000;
    private static final String ROOM = "room";
    private static final Event<Integer> SAY = Event.of("say", Integer.class);
    private static final Event<Integer> SAID = Event.of("said", Integer.class);
    private static final Request<Integer, String> PROBLEM = Request.of("problem", Integer.class, String.class);

    /** The server, in a process of its own. Prints its port, and what it logs as a warning or an error. */
    static final class Server {
        private Server() {}

        public static void main(String[] args) throws IOException {
            LogManager.getLogManager().reset();
            Logger.getLogger("").addHandler(new Printer());
            AtomicReference<RealtimeServer> self = new AtomicReference<>();
            RealtimeServer server = RealtimeServer.builder()
                    .port(0)
                    .transport(args[0])
                    .anonymous()
                    .allowJoin((session, room) -> room.equals(ROOM))
                    .limits(Limits.builder()
                            .connections(CONNECTIONS)
                            .connectionsPerAddress(CONNECTIONS)
                            .rate(RateLimit.none())
                            .build())
                    .on(SAY, (session, message) -> session.room(ROOM).send(SAID, message.data()))
                    .onRequest(
                            PROBLEM,
                            (session, nothing) -> String.valueOf(
                                    Objects.requireNonNull(self.get()).problem()))
                    .build();
            self.set(server);
            server.start();
            Child.print("port " + server.port());
            Child.untilTestEnds();
            server.close();
        }
    }

    /** A line for each warning. */
    private static final class Printer extends Handler {
        @Override
        public void publish(LogRecord entry) {
            if (entry.getLevel().intValue() >= Level.WARNING.intValue()) {
                Child.print("log " + entry.getLevel() + " " + entry.getMessage() + " " + entry.getThrown());
            }
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    }

    private final CompletableFuture<Integer> port = new CompletableFuture<>();
    private final Queue<String> log = new ConcurrentLinkedQueue<>();

    @ParameterizedTest
    @ValueSource(strings = {"java-websocket", "netty"})
    void acceptingResumesWhenDescriptorsReturn(String transport) throws Exception {
        List<String> limited = List.of("sh", "-c", "ulimit -n " + DESCRIPTORS + "; exec \"$@\"", "sh");
        try (Child child = new Child(limited, List.of(), Server.class, this::onLine, transport)) {
            String url = "ws://localhost:" + port.get(30, TimeUnit.SECONDS) + "/ws";
            try (Peer operator = new Peer(url, "");
                    Peer ada = new Peer(url, "");
                    Peer bob = new Peer(url, "")) {
                ada.join(ROOM);
                bob.join(ROOM);
                newcomersAreServed(url, ada, bob); // before, too: a class that is not loaded yet may need a descriptor
                for (int time = 1; time <= 3; time++) {
                    exhaust(operator, ada, bob);
                    newcomersAreServed(url, ada, bob);
                    int lines = time;
                    await().until(() -> log.size() >= lines);
                }
            }
            assertEquals(137, child.kill());
        }
        assertEquals(3, log.size(), log::toString);
        assertTrue(log.stream().allMatch(line -> line.contains("accept")), log::toString);
    }

    private void exhaust(Peer operator, Peer ada, Peer bob) throws Exception {
        RawWebSocket late;
        List<RawWebSocket> crowd = new ArrayList<>();
        try {
            while (problem(operator).equals("null")) { // on a busy machine the server may be late to accept
                for (int i = 0; i < 10 && crowd.size() < DESCRIPTORS; i++) {
                    crowd.add(knock());
                }
            }
            late = knock();
            for (int i = 0; i < 100; i++) {
                exchange(ada, bob, i);
            }
            String problem = problem(operator);
            assertTrue(problem.contains("accept"), problem);
        } finally {
            for (RawWebSocket one : crowd) {
                one.close();
            }
        }
        try (late) {
            assertTrue(late.readHead().startsWith("HTTP/1.1 101 "));
        }
        await().until(() -> problem(operator).equals("null"));
    }

    private void newcomersAreServed(String url, Peer... members) throws Exception {
        try (RawWebSocket leavesWithoutAWord = knock()) {
            assertTrue(leavesWithoutAWord.readHead().startsWith("HTTP/1.1 101 "));
        }
        try (Peer newcomer = new Peer(url, "")) {
            newcomer.join(ROOM);
            newcomer.send("say", ROOM, "1000");
            newcomer.next("said");
            for (Peer member : members) {
                assertEquals(1_000, member.next("said").get("data").getAsInt());
            }
        }
    }

    /** Asks for an upgrade, which may not be answered for long. */
    private RawWebSocket knock() throws IOException {
        RawWebSocket socket = RawWebSocket.connect(port.join());
        socket.sendUpgrade("/ws");
        return socket;
    }

    private static String problem(Peer operator) throws InterruptedException {
        return operator.reply("problem", null, "0").getAsString();
    }

    private static void exchange(Peer from, Peer to, int number) throws InterruptedException {
        from.send("say", ROOM, String.valueOf(number));
        assertEquals(number, from.next("said").get("data").getAsInt());
        assertEquals(number, to.next("said").get("data").getAsInt());
    }

    private void onLine(String line) {
        if (line.startsWith("port ")) {
            port.complete(Integer.parseInt(line.substring(5)));
        } else {
            log.add(line);
        }
    }
}
