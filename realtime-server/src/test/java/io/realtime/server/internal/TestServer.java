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
import io.realtime.spi.ServerTransport;
import io.realtime.testing.HeldExecutor;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import io.realtime.testing.ScriptedPeer;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
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

    /** Runs the server's handlers and rules, until the test holds them. */
    public final HeldExecutor executor = HeldExecutor.passingTo(time);

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
                .executor(executor)
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
        URI uri = URI.create("ws://localhost:" + server.port() + path);
        TestPeer peer = new TestPeer(ScriptedPeer.connect(
                network.clientTransport(), new ClientTransport.Target(uri, headers, subprotocol, 1 << 20, 1 << 20)));
        settle();
        return peer;
    }

    /** Runs the tasks that the executor holds and those that come from now on, and lets what they send arrive. */
    public void release() {
        executor.release();
        settle();
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

    /** A scripted peer in virtual time: what it sends has arrived, and been answered, when the method returns. */
    public final class TestPeer {
        private final ScriptedPeer peer;

        private TestPeer(ScriptedPeer peer) {
            this.peer = peer;
        }

        /** Sends JSON, with single quotes for double ones, and lets it arrive. */
        public void send(String json) {
            post(json);
            settle();
        }

        /** Sends JSON like {@link #send}, and does not let it arrive. */
        public void post(String json) {
            peer.send(json);
        }

        /** Sends a binary message, and does not let it arrive. */
        public void postBinary(byte[] message) {
            peer.sendBinary(message);
        }

        /** Takes the oldest frame of a type; what came before it stays. */
        public JsonObject next(String type) {
            return peer.next(type, JsonObject.class);
        }

        public JsonObject data(String type) {
            return next(type).getAsJsonObject("data");
        }

        /** Whether a binary message was received and not taken. */
        public boolean hasBinary() {
            return peer.types().contains("");
        }

        /** Takes the oldest binary message. */
        public ByteBuffer nextBinary() {
            return peer.nextBinary();
        }

        /** The types of the frames of JSON that were received and not taken. */
        public List<String> types() {
            return peer.types().stream().filter(type -> !type.isEmpty()).toList();
        }

        /** The frames of JSON that were received and not taken. */
        public List<JsonObject> received() {
            return peer.received().stream()
                    .filter(text -> text.startsWith("{"))
                    .map(text -> JsonParser.parseString(text).getAsJsonObject())
                    .toList();
        }

        /** Discards what was received until now. */
        public void clear() {
            peer.clear();
        }

        /** The code of the error that answers this. */
        public String errorOf(String json) {
            send(json);
            return data("$error").get("code").getAsString();
        }

        /** Why the connection ended, or null if it has not. */
        public @Nullable CloseReason closed() {
            return peer.closed();
        }

        public int closeCode() {
            CloseReason reason = peer.closed();
            if (reason == null) {
                throw new AssertionError("not closed: " + peer);
            }
            return reason.code();
        }

        /** Why the attempt to connect failed, or null if it did not. */
        public @Nullable Exception failure() {
            return peer.failure();
        }

        public void ping() {
            peer.ping();
        }

        /** Begins the closing handshake. */
        public void close(String text) {
            peer.close(CloseReason.NORMAL, text);
        }

        public void cut() {
            peer.abort();
            settle();
        }

        @Override
        public String toString() {
            return peer.toString();
        }
    }
}
