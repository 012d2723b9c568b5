package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import io.realtime.spi.Handshake;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.ManualScheduler;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Threads of the application and the client itself change one session's rooms at once: the client knows the outcome. */
@Timeout(60)
class MembershipOrderTest {
    private static final int ROUNDS = 2_000;

    private final ExecutorService threads = Executors.newCachedThreadPool();
    private final Phaser tasks = new Phaser(1); // of the server
    private final Door door = new Door();
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
            .transport(door)
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
        Recorder peer = new Recorder();
        ConnectionListener listener = door.open(peer);
        listener.onText("{\"type\":\"$hello\",\"data\":{\"client\":\"client-0123456789012345\"}}");
        settle();
        Session session = server.connections().sessions().iterator().next();
        CyclicBarrier start = new CyclicBarrier(3);
        for (int round = 0; round < ROUNDS; round++) {
            boolean joinsFirst = round % 2 == 0;
            peer.frames.clear();
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
                listener.onText("{\"type\":\"" + type + "\",\"room\":\"r\",\"ref\":\"" + type + "\"}");
            }
            one.get();
            other.get();
            settle();
            boolean isIn = session.isIn("r");
            if (!peer.frames.isEmpty()) {
                assertEquals(isIn, isMember(peer.frames.get(peer.frames.size() - 1)), round + ": " + peer.frames);
            }
            assertEquals(isIn ? 1 : 0, server.room("r").size(), round + ": " + peer.frames);
            session.leave("r");
            settle();
        }
    }

    /** Returns whether a client is in the room after this frame. */
    private static boolean isMember(JsonObject frame) {
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

    /** A transport without sockets. */
    private static final class Door implements ServerTransport {
        private @Nullable Acceptor acceptor;

        ConnectionListener open(Connection connection) {
            Map<String, String> headers = Map.of("Sec-WebSocket-Protocol", "realtime.v1");
            InetSocketAddress remote = InetSocketAddress.createUnresolved("test", 1);
            return Objects.requireNonNull(acceptor).open(connection, new Handshake("/ws", "", headers, remote));
        }

        @Override
        public void start(Config config, Acceptor decider) {
            acceptor = decider;
        }

        @Override
        public int port() {
            return 1;
        }

        @Override
        public void stopAccepting() {}

        @Override
        public void stop(Duration drain) {}

        @Override
        public @Nullable String problem() {
            return null;
        }
    }

    private static final class Recorder implements Connection {
        final List<JsonObject> frames = new CopyOnWriteArrayList<>();

        @Override
        public boolean send(FrameBatch batch) {
            for (Frame frame : batch.frames()) {
                String text = StandardCharsets.UTF_8.decode(frame.payload()).toString();
                frames.add(JsonParser.parseString(text).getAsJsonObject());
            }
            return true;
        }

        @Override
        public long outboundBytes() {
            return 0;
        }

        @Override
        public void ping() {}

        @Override
        public void close(CloseReason reason) {}

        @Override
        public void abort() {}

        @Override
        public String remoteAddress() {
            return "test:1";
        }
    }
}
