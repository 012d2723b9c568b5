package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.internal.SystemScheduler;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.DirectTransport.Line;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.session.ServerSession;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Phaser;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Real threads that decide about one session at the same time. */
@Timeout(60)
class SessionRacesTest {
    // How often each race is run; CI runs more.
    private static final int ROUNDS = Integer.getInteger("race.rounds", 500);

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Phaser tasks = new Phaser(1); // what the server still has to run
    private final Map<String, ConcurrentLinkedQueue<String>> lives = new ConcurrentHashMap<>();
    private final SystemScheduler time = new SystemScheduler("races");
    private final DirectTransport transport = new DirectTransport();
    private final RealtimeServer server = RealtimeServer.builder()
            .transport(transport)
            .scheduler(time) // so that the executor runs everything
            .executor(task -> {
                tasks.register();
                threads.execute(() -> {
                    try {
                        task.run();
                    } finally {
                        tasks.arriveAndDeregister();
                    }
                });
            })
            .authenticator(TestServer::byName)
            .allowJoin((session, room) -> true)
            .limits(Limits.builder()
                    .resumptionsPerSession(RateLimit.none())
                    .failedResumptionsPerAddress(RateLimit.none())
                    .build())
            .listener(new SessionListener() {
                @Override
                public void onOpen(Session session) {
                    note(session, "open");
                }

                @Override
                public void onResume(Session session) {
                    note(session, "resume");
                }

                @Override
                public void onDetach(Session session, CloseReason reason) {
                    note(session, "detach");
                }

                @Override
                public void onClose(Session session, CloseReason reason) {
                    note(session, "close");
                }
            })
            .build()
            .start();

    private void note(Session session, String what) {
        lives.computeIfAbsent(session.id(), id -> new ConcurrentLinkedQueue<>()).add(what);
    }

    @AfterEach
    void close() {
        server.close();
        time.close();
        threads.shutdownNow();
    }

    /** Runs these at the same time, and waits until the server has done what came of it. */
    private void race(Runnable... actors) throws Exception {
        CyclicBarrier start = new CyclicBarrier(actors.length);
        List<Future<?>> done = new ArrayList<>();
        for (Runnable actor : actors) {
            done.add(threads.submit(() -> {
                start.await();
                actor.run();
                return null;
            }));
        }
        for (Future<?> one : done) {
            one.get();
        }
        settle();
    }

    private void settle() {
        tasks.arriveAndAwaitAdvance();
    }

    @Test
    void disconnectLeavesNoUserBehind() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            String user = "u" + round;
            Line[] line = new Line[1];
            race(() -> line[0] = transport.open("token=" + user, null), () -> {
                List<Session> seen =
                        List.of(); // as soon as it can be seen: its place in the tables is not complete then
                while (seen.isEmpty()) {
                    Thread.onSpinWait();
                    seen = List.copyOf(server.connections().sessions());
                }
                seen.forEach(session -> session.disconnect("out"));
            });
            server.connections().user(user).disconnect("out");
            settle();
            assertEquals(0, server.connections().sessionCount(), "round " + round);
            assertEquals(0, server.connections().userCount(), "round " + round);
            assertNotNull(line[0].closed.get(), "round " + round);
        }
    }

    @Test
    void nothingThatBeganBeforeADisconnectComesBack() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            String user = "u" + round;
            Line plain = transport.open("token=" + user, null); // its token is being checked
            Line managed = transport.open("", "realtime.v1");
            managed.say("{'type':'$hello','data':{'token':'" + user + "','client':'c'}}");
            server.connections().user(user).disconnect("out");
            List<Session> after = server.connections().user(user).sessions();
            settle();
            assertEquals(List.of(), after, "round " + round);
            assertEquals(List.of(), server.connections().user(user).sessions(), "round " + round);
            for (Line line : List.of(plain, managed)) {
                assertEquals(
                        CloseReason.KICKED, assertNotNullReason(line).code(), "round " + round + " " + line.received);
            }
        }
    }

    private static CloseReason assertNotNullReason(Line line) {
        CloseReason reason = line.closed.get();
        assertNotNull(reason);
        return reason;
    }

    @Test
    void listenerHearsOpenThenDetachAndResumeInTurnsThenClose() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            String client = "c" + round;
            String hello = "{'type':'$hello','data':{'token':'ann','client':'" + client + "'";
            Line first = transport.open("", "realtime.v1");
            first.say(hello + "}}");
            settle();
            ServerSession session =
                    (ServerSession) server.connections().user("ann").sessions().get(0);
            String resume = hello + ",'session':'" + session.secret() + "'}}";
            race(
                    first::abort,
                    () -> transport.open("", "realtime.v1").say(resume),
                    () -> {
                        Line another = transport.open("", "realtime.v1");
                        another.say(resume);
                        another.abort();
                    },
                    () -> session.disconnect("out"));
            server.connections().user("ann").disconnect("out");
            settle();
            assertEquals(0, server.connections().sessionCount());
        }
        for (var life : lives.values()) {
            assertTrue(String.join(" ", life).matches("open( detach resume)*( detach)? close"), () -> life.toString());
        }
        assertTrue(lives.size() >= ROUNDS);
    }

    @Test
    void whatIsSentAsSoonAsASessionCanBeSeenArrives() throws Exception {
        Event<String> note = Event.of("note", String.class);
        Request<String, String> ask = Request.of("ask", String.class, String.class);
        for (int round = 0; round < ROUNDS; round++) {
            String user = "u" + round;
            boolean isManaged = round % 2 == 0;
            Line[] line = new Line[1];
            race(
                    () -> {
                        line[0] = transport.open("token=" + user, isManaged ? "realtime.v1" : null);
                        if (isManaged) {
                            line[0].say("{'type':'$hello','data':{'token':'" + user + "','client':'c'}}");
                        }
                    },
                    () -> {
                        List<Session> seen = List.of();
                        while (seen.isEmpty()) {
                            Thread.onSpinWait();
                            seen = server.connections().user(user).sessions();
                        }
                        seen.get(0).send(note, "for you");
                        CompletableFuture<String> unused = seen.get(0).request(ask, "and you?");
                    });
            String all = line[0].received.toString();
            assertTrue(all.contains("for you"), "round " + round + " " + all);
            assertTrue(all.contains("and you?"), "round " + round + " " + all);
            server.connections().user(user).disconnect("out");
        }
    }

    @Test
    void newestConnectionIsNeverClosedForAnother() throws Exception {
        for (int round = 0; round < ROUNDS / 2; round++) {
            String user = "u" + round;
            String hello = "{'type':'$hello','data':{'token':'" + user + "','client':'c-" + user + "'";
            transport.open("", "realtime.v1").say(hello + "}}");
            settle();
            ServerSession session =
                    (ServerSession) server.connections().user(user).sessions().get(0);
            for (int room = 0; room < 200; room++) { // attaching takes a while
                session.join("r" + room);
            }
            Line resumed = transport.open("", "realtime.v1");
            Line anew = transport.open("", "realtime.v1");
            Line newest = transport.open("", "realtime.v1");
            String resume = hello + ",'session':'" + session.secret() + "'}}";
            race(() -> resumed.say(resume), () -> anew.say(hello + "}}"), () -> newest.say(resume));
            assertNull(newest.closed.get(), "round " + round);
            server.connections().user(user).disconnect("out");
            settle();
        }
    }

    @Test
    void secondDisconnectReturnsWhenTheSessionIsInNoRoom() throws Exception {
        for (int round = 0; round < ROUNDS; round++) {
            String user = "u" + round;
            transport.open("token=" + user, null);
            settle();
            ServerSession session =
                    (ServerSession) server.connections().user(user).sessions().get(0);
            for (int room = 0; room < 50; room++) {
                session.join("r" + room);
            }
            AtomicInteger listed = new AtomicInteger();
            Runnable disconnect = () -> {
                server.connections().user(user).disconnect("out");
                for (int room = 0; room < 50; room++) {
                    listed.addAndGet(
                            server.connections().room("r" + room).localMembers().size());
                }
                listed.addAndGet(server.connections().user(user).sessions().size());
            };
            race(disconnect, disconnect);
            assertEquals(0, listed.get(), "round " + round);
        }
    }
}
