package io.realtime.server.internal;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Authentication;
import io.realtime.server.Authenticator;
import io.realtime.server.Credentials;
import io.realtime.server.RealtimeServer;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** A server in virtual time, on a network in memory, and peers that speak frames to it. The token is the user's name. */
public final class TestServer implements AutoCloseable {
    public final ManualScheduler time = new ManualScheduler();
    public final InMemoryNetwork network = new InMemoryNetwork(time);
    public final RealtimeServer server;

    public TestServer(@Nullable Authenticator authenticator, UnaryOperator<RealtimeServer.Builder> config) {
        this(authenticator, config, UnaryOperator.identity());
    }

    /** @param edge puts something between the server and the network */
    public TestServer(
            @Nullable Authenticator authenticator,
            UnaryOperator<RealtimeServer.Builder> config,
            UnaryOperator<ServerTransport> edge) {
        RealtimeServer.Builder builder = RealtimeServer.builder()
                .port(0)
                .scheduler(time)
                .executor(time)
                .random(new Random(42))
                .transport(edge.apply(network.serverTransport()));
        if (authenticator != null) {
            builder.authenticator(authenticator);
        }
        server = config.apply(builder).build().start();
    }

    public static CompletableFuture<Authentication> byName(Credentials credentials) {
        String token = credentials.token();
        if (token == null || token.startsWith("bad")) {
            throw new RealtimeException(ErrorCode.UNAUTHORIZED, "no such user");
        }
        return CompletableFuture.completedFuture(Authentication.of(token));
    }

    /** A managed peer that has been welcomed. */
    public TestPeer managed(String user) {
        TestPeer peer = connect(Protocol.SUBPROTOCOL, "/ws");
        peer.send("{'type':'$hello','data':{'token':'" + user + "','client':'client-of-" + user + "-0123456789'}}");
        peer.next("$welcome");
        return peer;
    }

    /** A plain peer that has been welcomed. */
    public TestPeer plain(String user) {
        TestPeer peer = connect("", "/ws?token=" + user);
        peer.next("$welcome");
        return peer;
    }

    public TestPeer connect(String subprotocol, String path) {
        return connect(subprotocol, path, Map.of());
    }

    public TestPeer connect(String subprotocol, String path, Map<String, String> headers) {
        TestPeer peer = new TestPeer();
        network.clientTransport()
                .connect(
                        new ClientTransport.Target(
                                URI.create("ws://localhost:" + server.port() + path),
                                headers,
                                subprotocol,
                                1 << 20,
                                1 << 20),
                        peer);
        settle();
        return peer;
    }

    /** Lets what is on its way arrive; shorter than any delay of the protocol. */
    public void settle() {
        time.advance(Duration.ofMillis(20));
    }

    /**
     * All that happens in virtual time is one thread's, which a lock that it has kept would not stop: another one closes the
     * server, and takes the locks of all rooms, sessions and connections for that.
     */
    @Override
    public void close() {
        FutureTask<Void> closing = new FutureTask<>(() -> server.close(Duration.ZERO), null);
        Thread other = new Thread(closing, "another");
        other.setDaemon(true);
        other.start();
        try {
            closing.get(10, TimeUnit.SECONDS);
        } catch (TimeoutException kept) {
            throw new AssertionError("a lock is kept: " + List.of(other.getStackTrace()), kept);
        } catch (ExecutionException failed) {
            throw new AssertionError("the server could not be closed", failed);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
        time.advance(Duration.ofSeconds(10));
    }

    /** A peer that records what it is sent. */
    public final class TestPeer implements ClientTransport.Callback, ConnectionListener {
        public final List<JsonObject> received = new ArrayList<>();
        public final List<ByteBuffer> binary = new ArrayList<>();

        @Nullable
        public Connection connection;

        @Nullable
        public CloseReason closed;

        @Nullable
        public Exception failed;

        /** Sends JSON, with single quotes for double ones. */
        public void send(String json) {
            sendRaw(json.replace('\'', '"'));
            settle();
        }

        public void sendRaw(String json) {
            if (connection == null) {
                throw new AssertionError("not connected: " + failed);
            }
            connection.send(MessageBatch.of(WireMessage.text(json.getBytes(StandardCharsets.UTF_8))));
        }

        /** Takes the oldest frame of a type; what came before it stays. */
        public JsonObject next(String type) {
            for (JsonObject frame : received) {
                if (frame.get("type").getAsString().equals(type)) {
                    received.remove(frame);
                    return frame;
                }
            }
            throw new AssertionError("no " + type + " among " + received + ", closed " + closed);
        }

        public JsonObject data(String type) {
            return next(type).getAsJsonObject("data");
        }

        public List<String> types() {
            return received.stream()
                    .map(frame -> frame.get("type").getAsString())
                    .toList();
        }

        /** The code of the error that answers this. */
        public String errorOf(String json) {
            send(json);
            return data("$error").get("code").getAsString();
        }

        public int closeCode() {
            if (closed == null) {
                throw new AssertionError("not closed; received " + received);
            }
            return closed.code();
        }

        public void ping() {
            if (connection == null) {
                throw new AssertionError("not connected: " + failed);
            }
            connection.ping();
        }

        public void cut() {
            if (connection != null) {
                connection.abort();
            }
            settle();
        }

        @Override
        public ConnectionListener connected(Connection open) {
            connection = open;
            return this;
        }

        @Override
        public void failed(Exception cause) {
            failed = cause;
        }

        @Override
        public void onText(String text) {
            received.add(JsonParser.parseString(text).getAsJsonObject());
        }

        @Override
        public void onBinary(ByteBuffer payload) {
            binary.add(payload);
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
}
