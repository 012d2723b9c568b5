package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.internal.SystemScheduler;
import io.realtime.server.RealtimeServer;
import io.realtime.server.internal.TestServer;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** The first use of an inbox, with sessions that begin, end and come back at that very moment. */
class InboxesTest {
    private static final Event<Integer> NOTE = Event.of("note", Integer.class);
    private static final Event<Integer> HINT = Event.ephemeral("hint", Integer.class);
    private static final int ROUNDS = 2000;
    private static final int NOTES = 3;

    private final Acceptors transport = new Acceptors();
    private final SystemScheduler time = new SystemScheduler("inboxes-timer");
    private final RealtimeServer server = RealtimeServer.builder()
            .transport(transport)
            .scheduler(time) // and so the executor runs all that the server does
            .executor(Runnable::run)
            .authenticator(TestServer::byName)
            .build()
            .start();
    private final ExecutorService pool = Executors.newFixedThreadPool(3);

    @AfterEach
    void close() {
        pool.shutdownNow();
        server.close(Duration.ZERO);
        time.close();
    }

    @Test
    @Timeout(60)
    void sessionGetsMessagesAfterItsInboxPosition() throws Exception {
        CyclicBarrier barrier = new CyclicBarrier(3);
        for (int round = 0; round < ROUNDS; round++) {
            String user = "user-" + round;
            Device early = new Device(user, "early");
            Device late = new Device(user, "late");
            Device back = new Device(user, "back");
            early.hello();
            back.hello();
            List<Future<?>> running = List.of(
                    pool.submit(() -> {
                        barrier.await();
                        for (int i = 0; i < NOTES; i++) {
                            server.connections().user(user).send(NOTE, i);
                        }
                        return null;
                    }),
                    pool.submit(() -> {
                        barrier.await();
                        late.hello();
                        return null;
                    }),
                    pool.submit(() -> {
                        barrier.await();
                        back.comeBack();
                        return null;
                    }));
            for (Future<?> each : running) {
                each.get();
            }
            for (Device device : List.of(early, late, back)) {
                assertEquals(
                        LongStream.rangeClosed(device.told() + 1, NOTES).boxed().toList(),
                        device.offsets(),
                        device.name + " of round " + round);
            }
            assertEquals(3, server.connections().user(user).sessions().size());
        }
    }

    @Test
    void firstMessageMayBeOneThatIsInNoLog() {
        Device device = new Device("ann", "phone");
        device.hello();
        server.connections().user("ann").send(HINT, 1);
        assertEquals(List.of("$welcome", "hint"), device.types());
    }

    @Test
    void idleInboxKeepsItsMembers() {
        Device device = new Device("ann", "phone");
        device.hello();
        assertEquals(1, server.connections().user("ann").inbox().localMembers().size());
        assertEquals(1, server.connections().user("ann").inbox().localMembers().size());
        server.connections()
                .user("ann")
                .inbox()
                .filter(session -> session.user().id().equals("ann"))
                .send(NOTE, 1);
        assertEquals(List.of(1L), device.offsets());
    }

    private static final class Acceptors implements ServerTransport {
        private @Nullable Acceptor acceptor;

        @Override
        public void start(Config config, Acceptor newcomers) {
            acceptor = newcomers;
        }

        @Override
        public int port() {
            return 0;
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

    /** A client that remembers what it was sent since it came. */
    private final class Device {
        private final String name;
        private final String client;
        private final String user;
        private Wire wire;

        Device(String user, String name) {
            this.name = name;
            this.user = user;
            this.client = name + "-of-" + user + "-0123456789";
            this.wire = new Wire();
        }

        void hello() {
            wire.receive("{'type':'$hello','data':{'token':'" + user + "','client':'" + client + "'}}");
        }

        /** Cuts the connection and resumes on a new one, from the place that it was told at first. */
        void comeBack() {
            JsonObject welcome = wire.welcome();
            String session = welcome.get("session").getAsString();
            JsonObject at = welcome.getAsJsonObject("rooms").getAsJsonObject("@user");
            wire.listener.onClosed(new CloseReason(CloseReason.ABNORMAL, "cut"), false);
            wire = new Wire();
            wire.receive("{'type':'$hello','data':{'token':'" + user + "','client':'" + client + "','session':'"
                    + session + "','positions':{'@user':['" + at.get("epoch").getAsString() + "',0]}}}");
            assertEquals(true, wire.welcome().get("resumed").getAsBoolean());
        }

        long told() {
            return wire.welcome()
                    .getAsJsonObject("rooms")
                    .getAsJsonObject("@user")
                    .get("offset")
                    .getAsLong();
        }

        List<Long> offsets() {
            return wire.frames().stream()
                    .filter(frame -> frame.has("offset"))
                    .map(frame -> frame.get("offset").getAsLong())
                    .toList();
        }

        List<String> types() {
            return wire.frames().stream()
                    .map(frame -> frame.get("type").getAsString())
                    .toList();
        }
    }

    private final class Wire implements Connection {
        private final List<JsonObject> received = new ArrayList<>(); // guarded by this
        private final ConnectionListener listener;

        Wire() {
            Handshake handshake = new Handshake(
                    "/ws",
                    "",
                    Map.of("Sec-WebSocket-Protocol", "realtime.v1"),
                    InetSocketAddress.createUnresolved("device", 1));
            listener = Objects.requireNonNull(transport.acceptor).open(this, handshake);
        }

        void receive(String json) {
            listener.onText(json.replace('\'', '"'));
        }

        synchronized List<JsonObject> frames() {
            return new ArrayList<>(received);
        }

        JsonObject welcome() {
            JsonObject first = frames().get(0);
            assertEquals("$welcome", first.get("type").getAsString());
            return first.getAsJsonObject("data");
        }

        @Override
        public synchronized boolean send(MessageBatch batch) {
            for (WireMessage frame : batch.frames()) {
                received.add(JsonParser.parseString(frame.asText()).getAsJsonObject());
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
            return "device";
        }
    }
}
