package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.Backoff;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** One client and one scripted server in virtual time; what both see is recorded. */
final class World implements ServerTransport.Acceptor, ClientListener, AutoCloseable {
    record Say(String text) {}

    static final Event<Say> SAY = Event.of("chat.say", Say.class);
    static final Event<Say> SAID = Event.of("chat.said", Say.class);
    static final Event<Say> TYPING = Event.ephemeral("chat.typing", Say.class);

    final ManualScheduler time = new ManualScheduler();
    final InMemoryNetwork network = new InMemoryNetwork(time);
    final List<Peer> peers = new ArrayList<>();
    final List<ConnectionState> states = new ArrayList<>();
    final List<Throwable> errors = new ArrayList<>();
    final List<DroppedMessage> dropped = new ArrayList<>();
    final List<Gap> gaps = new ArrayList<>();
    final List<String> heard = new ArrayList<>();
    final ServerTransport server = network.serverTransport();

    Consumer<Peer> onHello = Peer::welcome;
    boolean acks = true;
    boolean answersJoins = true;
    boolean resumed;
    long seq;
    long answers;
    String rooms = "{}";
    boolean partial;
    String joinReply = "{'epoch':'e1','offset':0,'recovered':true,'members':3}";
    int inflight = 256;
    long inflightBytes = 1 << 30;
    int messageBytes = 65_536;
    long spreadMs;

    @Nullable
    String user;

    private @Nullable RealtimeClient client;

    World() {
        InetSocketAddress address = InetSocketAddress.createUnresolved("in-memory", 0);
        try {
            server.start(
                    new ServerTransport.Config(
                            address, 1 << 20, 8192, Duration.ofSeconds(10), 1 << 20, 100, 100, 100, null),
                    this);
        } catch (IOException impossible) {
            throw new AssertionError(impossible);
        }
    }

    RealtimeClient.Builder builder() {
        return RealtimeClient.builder(URI.create("ws://host:" + server.port() + "/ws"))
                .transport(network.clientTransport())
                .scheduler(time)
                .callbackExecutor(time)
                .random(new Half())
                .backoff(Backoff.builder().jitter(Backoff.Jitter.NONE).build())
                .listener(this);
    }

    RealtimeClient client() {
        if (client == null) {
            client = builder().build();
        }
        return client;
    }

    RealtimeClient use(RealtimeClient.Builder builder) {
        client = builder.build();
        return client;
    }

    RealtimeClient connected() {
        RealtimeClient connecting = client();
        var unused = connecting.connect();
        settle();
        assertEquals(ConnectionState.Status.OPEN, connecting.state().status());
        return connecting;
    }

    /** Has the server put each session into these rooms, at their beginning. */
    void placeIn(String... names) {
        List<String> states = new ArrayList<>();
        for (String name : names) {
            states.add("'" + name + "':{'epoch':'e1','offset':0,'recovered':false}");
        }
        rooms = "{" + String.join(",", states) + "}";
    }

    /** Lets everything arrive that is on its way. */
    void settle() {
        time.advance(Duration.ofMillis(20));
    }

    void advance(long millis) {
        time.advance(Duration.ofMillis(millis));
    }

    Peer peer() {
        return peers.get(peers.size() - 1);
    }

    List<String> statuses() {
        List<String> names = new ArrayList<>();
        states.forEach(state -> names.add(state.status().name()));
        return names;
    }

    ConnectionState lastState() {
        return states.get(states.size() - 1);
    }

    @Override
    public void onState(ConnectionState state) {
        states.add(state);
    }

    @Override
    public void onError(Throwable failure) {
        errors.add(failure);
    }

    @Override
    public void onDropped(DroppedMessage message) {
        dropped.add(message);
    }

    @Override
    public void onGap(Gap gap) {
        gaps.add(gap);
    }

    @Override
    public ServerTransport.Upgrade upgrade(Handshake handshake) {
        return ServerTransport.Upgrade.accept(Protocol.SUBPROTOCOL);
    }

    @Override
    public ConnectionListener open(Connection connection, Handshake handshake) {
        Peer peer = new Peer(connection);
        peers.add(peer);
        return peer;
    }

    /** Closes the client, after which nothing may be left to do. */
    @Override
    public void close() {
        if (client != null) {
            client.close();
        }
        time.advance(Duration.ofSeconds(30));
        assertEquals(0, time.pending(), "tasks left after close");
    }

    /** The server's end of one connection. */
    final class Peer implements ConnectionListener {
        final Connection connection;
        final List<Envelope> frames = new ArrayList<>();

        @Nullable
        CloseReason closed;

        Peer(Connection connection) {
            this.connection = connection;
        }

        /** Sends JSON. Each single quote in it stands for a double quote. */
        void send(String json) {
            sendRaw(json.replace('\'', '"'));
        }

        /** Sends a text message unchanged. */
        void sendRaw(String json) {
            connection.send(MessageBatch.of(WireMessage.text(json.getBytes(StandardCharsets.UTF_8))));
        }

        void send(Outgoing frame) {
            connection.send(MessageBatch.of(frame.frame()));
        }

        void close(int code) {
            connection.close(new CloseReason(code, ""));
        }

        void welcome() {
            welcome(0);
        }

        /** Welcomes a client and says what time it is. */
        void welcome(long serverMillis) {
            send("{'type':'$welcome','ts':" + serverMillis + ",'data':{'session':'secret-" + peers.size()
                    + "'"
                    + (user == null ? "" : ",'user':'" + user + "'") + ",'resumed':" + resumed
                    + ",'seq':" + seq + ",'answers':" + answers + ",'known':true,'rooms':" + rooms
                    + ",'partial':" + partial
                    + ",'heartbeat':{'intervalMs':30000,'timeoutMs':60000}"
                    + ",'limits':{'messageBytes':" + messageBytes + ",'inflight':" + inflight
                    + ",'inflightBytes':" + inflightBytes + ",'ttlMs':300000},'retry':{'spreadMs':" + spreadMs
                    + "}}}");
        }

        void said(String room, long offset, String text) {
            send("{'type':'chat.said','room':'" + room + "','ts':1,'data':{'text':'" + text + "'},'offset':" + offset
                    + "}");
        }

        /** Everything up to a number is processed, and the answers stand in the session's inbox up to an offset. */
        void ack(long processed, long answeredBy) {
            send("{'type':'$ack','data':{'seq':" + processed + ",'answers':" + answeredBy + "}}");
        }

        /** Answers the client's question about a room. */
        void reply(Envelope question) {
            String data = switch (question.type()) {
                case Protocol.JOIN -> joinReply;
                case Protocol.REJOIN -> rejoinReply(question);
                default -> "null";
            };
            send("{'type':'$reply','ref':'" + question.ref() + "','data':" + data + "}");
        }

        private String rejoinReply(Envelope question) {
            Map<String, String> answers = new LinkedHashMap<>();
            rejoined(question).keySet().forEach(room -> answers.put(room, joinReply));
            return answers.entrySet().stream()
                    .map(answer -> "'" + answer.getKey() + "':" + answer.getValue())
                    .collect(Collectors.joining(",", "{'rooms':{", "}}"));
        }

        /** The rooms that a question names, and what is wanted there. */
        Map<String, Protocol.Join> rejoined(Envelope question) {
            return Objects.requireNonNull(question.<Protocol.RejoinRequest>data(Protocol.RejoinRequest.class)
                    .rooms());
        }

        Protocol.Hello hello() {
            return frames.get(0).data(Protocol.Hello.class);
        }

        List<Envelope> all(String type) {
            List<Envelope> some = new ArrayList<>();
            for (Envelope frame : frames) {
                if (frame.type().equals(type)) {
                    some.add(frame);
                }
            }
            return some;
        }

        /** The texts of the messages received. */
        List<String> says() {
            List<String> texts = new ArrayList<>();
            for (Envelope frame : all("chat.say")) {
                Say say = frame.data(Say.class);
                texts.add(say.text() + (frame.isRedelivered() ? "*" : ""));
            }
            return texts;
        }

        @Override
        public void onText(String text) {
            take(Envelope.parse(text));
        }

        private void take(Envelope frame) {
            frames.add(frame);
            switch (frame.type()) {
                case Protocol.HELLO -> onHello.accept(this);
                case Protocol.JOIN, Protocol.REJOIN, Protocol.LEAVE -> {
                    if (answersJoins) {
                        reply(frame);
                    }
                }
                default -> {
                    if (acks && frame.seq() > 0) {
                        send("{'type':'$ack','data':{'seq':" + frame.seq() + "}}");
                    }
                }
            }
        }

        @Override
        public void onBinary(ByteBuffer payload) {
            take(BinaryEnvelope.parse(payload));
        }

        @Override
        public void onActivity() {}

        @Override
        public void onDrained() {}

        @Override
        public void onClosed(CloseReason reason, boolean byPeer) {
            closed = reason;
        }
    }

    /** Jitter and windows come out in the middle; ids are all different. */
    private static final class Half extends Random {
        private static final long serialVersionUID = 1L;

        @Override
        public double nextDouble() {
            return 0.5;
        }
    }
}
