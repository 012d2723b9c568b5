package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.Position;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** A client and a small but honest server, cut apart again and again; every failure repeats from its seed. */
class ClientSimulationTest {
    private static final int MESSAGES = 60;

    static List<Arguments> seeds() {
        List<Arguments> seeds = new ArrayList<>();
        for (int seed = 1; seed <= 300; seed++) {
            seeds.add(Arguments.of(seed));
        }
        return seeds;
    }

    @ParameterizedTest(name = "seed {0}")
    @MethodSource("seeds")
    void nothingIsLostRepeatedOrReordered(int seed) throws Exception {
        Random random = new Random(seed);
        ManualScheduler time = new ManualScheduler();
        InMemoryNetwork network = new InMemoryNetwork(time);
        HonestServer server = new HonestServer(time, random);
        ServerTransport transport = network.serverTransport();
        InetSocketAddress address = InetSocketAddress.createUnresolved("in-memory", 0);
        transport.start(
                new ServerTransport.Config(address, 1 << 20, 8192, Duration.ofSeconds(10), 1 << 20, 10, 10, 10, null),
                server);
        List<String> heard = new ArrayList<>();
        List<Gap> gaps = new ArrayList<>();
        RealtimeClient client = RealtimeClient.builder(URI.create("ws://host:" + transport.port() + "/ws"))
                .transport(network.clientTransport())
                .scheduler(time)
                .callbackExecutor(time)
                .random(new Random(seed))
                .listener(new ClientListener() {
                    @Override
                    public void onGap(Gap gap) {
                        gaps.add(gap);
                    }
                })
                .build();
        client.on(World.SAID, said -> heard.add(said.data().text()));
        CompletableFuture<Void> connected = client.connect();
        CompletableFuture<JoinResult> joined = client.room("r").join();

        List<String> sent = new ArrayList<>();
        List<CompletableFuture<Void>> results = new ArrayList<>();
        for (int i = 0; i < MESSAGES; i++) {
            sent.add("m" + i);
            results.add(client.send(World.SAY, new Say("m" + i)));
            if (joined.isDone()) {
                server.publish();
            }
            if (random.nextInt(4) == 0) {
                network.cutAll();
            }
            network.latency(Duration.ofMillis(random.nextInt(20)));
            time.advance(Duration.ofMillis(random.nextInt(400)));
        }
        time.advance(Duration.ofMinutes(3));

        assertTrue(connected.isDone());
        assertEquals(sent, server.processed);
        assertEquals(server.log, heard);
        assertEquals(List.of(), gaps);
        for (CompletableFuture<Void> result : results) {
            assertTrue(result.isDone() && !result.isCompletedExceptionally());
        }
        client.close();
        time.advance(Duration.ofMinutes(1));
        assertEquals(0, time.pending());
    }

    /** Processes each number once, keeps one room's log, resumes sessions half of the time. */
    private static final class HonestServer implements ServerTransport.Acceptor {
        final ManualScheduler time;
        final Random random;
        final List<String> processed = new ArrayList<>();
        final List<String> log = new ArrayList<>();
        long lastSeq;

        @Nullable
        Peer member;

        HonestServer(ManualScheduler time, Random random) {
            this.time = time;
            this.random = random;
        }

        void publish() {
            log.add("p" + log.size());
            if (member != null) {
                member.entry(log.size());
            }
        }

        @Override
        public ServerTransport.Upgrade upgrade(Handshake handshake) {
            return ServerTransport.Upgrade.accept(Protocol.SUBPROTOCOL);
        }

        @Override
        public ConnectionListener open(Connection connection, Handshake handshake) {
            return new Peer(connection);
        }

        private final class Peer implements ConnectionListener {
            final Connection connection;

            Peer(Connection connection) {
                this.connection = connection;
            }

            /** Sends JSON. Each single quote in it stands for a double quote. */
            void send(String json) {
                byte[] frame = json.replace('\'', '"').getBytes(StandardCharsets.UTF_8);
                connection.send(MessageBatch.of(WireMessage.text(frame)));
            }

            void entry(long offset) {
                send("{'type':'chat.said','room':'r','data':{'text':'" + log.get((int) offset - 1) + "'},'offset':"
                        + offset + "}");
            }

            private void replay(long after) {
                for (long offset = after + 1; offset <= log.size(); offset++) {
                    entry(offset);
                }
                member = this;
            }

            @Override
            public void onText(String text) {
                Envelope frame = Envelope.parse(text);
                switch (frame.type()) {
                    case Protocol.HELLO -> hello(frame.data(Protocol.Hello.class));
                    case Protocol.JOIN -> {
                        Position since =
                                frame.<Protocol.Join>data(Protocol.Join.class).since();
                        long after = since == null ? 0 : since.offset();
                        send("{'type':'$reply','ref':'" + frame.ref()
                                + "','data':{'epoch':'e','offset':" + after
                                + ",'recovered':true,'members':1}}");
                        replay(after);
                    }
                    default -> process(frame);
                }
            }

            private void hello(Protocol.Hello hello) {
                Position since =
                        hello.positions() == null ? null : hello.positions().get("r");
                boolean resumed = hello.session() != null && since != null && random.nextBoolean();
                long after = since == null ? 0 : since.offset();
                String rooms = resumed ? "{'r':{'epoch':'e','offset':" + after + ",'recovered':true}}" : "{}";
                send("{'type':'$welcome','data':{'session':'s','resumed':" + resumed + ",'seq':" + lastSeq
                        + ",'known':true,'rooms':" + rooms
                        + ",'limits':{'messageBytes':65536,'inflight':4,'ttlMs':1000}}}");
                if (resumed) {
                    replay(after);
                }
            }

            private void process(Envelope frame) {
                if (frame.seq() > lastSeq) {
                    lastSeq = frame.seq();
                    processed.add(frame.<Say>data(Say.class).text());
                }
                long done = lastSeq;
                time.schedule(
                        Duration.ofMillis(random.nextInt(100)),
                        () -> send("{'type':'$ack','data':{'seq':" + done + "}}"));
            }

            @Override
            public void onBinary(ByteBuffer payload) {}

            @Override
            public void onActivity() {}

            @Override
            public void onDrained() {}

            @Override
            public void onClosed(CloseReason reason, boolean byPeer) {
                if (member == this) {
                    member = null;
                }
            }
        }
    }
}
