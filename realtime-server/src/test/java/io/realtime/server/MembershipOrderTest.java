package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.realtime.Event;
import io.realtime.server.internal.DirectTransport;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Threads of the application and the client itself change one session's rooms at once: the client knows the outcome. */
@Timeout(60)
class MembershipOrderTest {
    private static final int ROUNDS = 2_000;
    private static final Event<String> TYPING = Event.ephemeral("typing", String.class);

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Phaser tasks = new Phaser(1); // of the server
    private final DirectTransport transport = new DirectTransport();
    private final RealtimeServer server = RealtimeServer.builder()
            .port(0)
            .anonymous()
            .allowJoin((session, room) -> true)
            .limits(Limits.builder().rate(RateLimit.none()).build())
            .scheduler(new ManualScheduler())
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
            .transport(transport)
            .build()
            .start();

    @AfterEach
    void close() throws InterruptedException {
        server.close(Duration.ZERO);
        threads.shutdown();
        assertTrue(threads.awaitTermination(10, TimeUnit.SECONDS));
    }

    /** Waits until the server has nothing to do. */
    private void settle() {
        while (tasks.getRegisteredParties() > 1) {
            tasks.arriveAndAwaitAdvance();
        }
    }

    @Test
    void clientKnowsWhatThreadsAndItselfDecided() throws Exception {
        DirectTransport.Line peer = transport.open("", "realtime.v1");
        peer.say("{'type':'$hello','data':{'client':'client-0123456789012345'}}");
        settle();
        Session session = server.connections().sessions().iterator().next();
        CyclicBarrier start = new CyclicBarrier(3);
        for (int round = 0; round < ROUNDS; round++) {
            boolean joinsFirst = round % 2 == 0;
            peer.received.clear();
            var one = threads.submit(() -> {
                await(start);
                session.join("r");
                session.leave("r");
            });
            var other = threads.submit(() -> {
                await(start);
                session.leave("r");
                session.join("r");
            });
            await(start);
            for (String type : joinsFirst ? List.of("$join", "$leave") : List.of("$leave", "$join")) {
                peer.say("{'type':'" + type + "','room':'r','ref':'" + type + "'}");
            }
            one.get();
            other.get();
            settle();
            boolean isIn = session.isIn("r");
            if (!peer.received.isEmpty()) {
                assertEquals(isIn, isMember(peer.received.get(peer.received.size() - 1)), round + ": " + peer.received);
            }
            assertEquals(
                    isIn ? 1 : 0, server.connections().room("r").localMembers().size(), round + ": " + peer.received);
            session.leave("r");
            settle();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"$welcome", "$reply", "$joined"})
    void memberGetsEphemeralMessagesOnceItKnowsItsMembership(String word) {
        DirectTransport.Line first = transport.open("", "realtime.v1");
        first.say("{'type':'$hello','data':{'client':'client-0123456789012345'}}");
        settle();
        Session session = server.connections().sessions().iterator().next();
        DirectTransport.Line peer = word.equals("$welcome") ? transport.open("", "realtime.v1") : first;
        peer.reader = json -> {
            if (json.contains("\"type\":\"" + word + "\"")) {
                server.connections().room("r").send(TYPING, word);
            }
        };
        switch (word) {
            case "$welcome" -> {
                session.join("r");
                JsonObject welcome =
                        JsonParser.parseString(first.received.get(0)).getAsJsonObject();
                peer.say("{'type':'$hello','data':{'client':'client-0123456789012345','session':"
                        + welcome.getAsJsonObject("data").get("session") + "}}");
            }
            case "$reply" -> peer.say("{'type':'$join','room':'r','ref':'1'}");
            default -> session.join("r");
        }
        settle();
        String last = peer.received.get(peer.received.size() - 1);
        assertTrue(last.contains("\"type\":\"typing\""), () -> peer.received.toString());
    }

    /** Returns whether a client is in the room after this frame. */
    private static boolean isMember(String json) {
        JsonObject frame = JsonParser.parseString(json).getAsJsonObject();
        String type = frame.get("type").getAsString();
        return type.equals("$joined")
                || (type.equals("$reply") && frame.get("ref").getAsString().equals("$join"));
    }

    private static void await(CyclicBarrier barrier) {
        try {
            barrier.await();
        } catch (InterruptedException | BrokenBarrierException broken) {
            throw new IllegalStateException(broken);
        }
    }
}
