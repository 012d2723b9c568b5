package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.client.TokenRefusedException;
import io.realtime.server.Authentication;
import io.realtime.server.Credentials;
import io.realtime.server.RealtimeServer;
import java.net.ServerSocket;
import java.net.URI;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** Server and Java client over real sockets, on every transport. */
@Timeout(60)
@ParameterizedClass
@ValueSource(strings = {"java-websocket", "netty"})
class ServerAndClientIT {
    private static final Event<Integer> SAY = Event.of("say", Integer.class);
    private static final Event<Integer> SAID = Event.of("said", Integer.class);
    private static final Event<Integer> FAIL = Event.of("fail", Integer.class);

    private final String transport;
    private RealtimeServer server;

    ServerAndClientIT(String transport) {
        this.transport = transport;
        this.server = start(transport, 0);
    }

    private static RealtimeServer start(String transport, int port) {
        return RealtimeServer.builder()
                .transport(transport)
                .port(port)
                .authenticator(ServerAndClientIT::byName)
                .allowJoin((session, room) -> room.startsWith("chat:"))
                .on(
                        SAY,
                        (session, message) ->
                                session.room(message.requireRoom()).send(SAID, message.data()))
                .on(FAIL, (session, message) -> {
                    throw new RealtimeException(ErrorCode.of("sold_out"), "nothing left");
                })
                .build()
                .start();
    }

    private static CompletionStage<Authentication> byName(Credentials credentials) {
        String token = String.valueOf(credentials.token());
        if (token.equals("bad")) {
            throw new RealtimeException(ErrorCode.UNAUTHORIZED, "no such user");
        }
        return CompletableFuture.completedFuture(Authentication.of(token));
    }

    @AfterEach
    void stop() {
        server.close();
    }

    private RealtimeClient.Builder client(String user) {
        return RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                .token(user);
    }

    @Test
    void twoThousandMessagesArriveOnceAndInOrderAtEveryMember() throws Exception {
        BlockingQueue<Integer> ann = new LinkedBlockingQueue<>();
        BlockingQueue<Integer> bob = new LinkedBlockingQueue<>();
        try (RealtimeClient sender = client("ann").build();
                RealtimeClient reader = client("bob").build()) {
            sender.on(SAID, said -> ann.add(said.data()));
            reader.on(SAID, said -> bob.add(said.data()));
            CompletableFuture.allOf(sender.connect(), reader.connect()).join();
            assertEquals(1, sender.room("chat:1").join().join().members());
            assertEquals(2, reader.room("chat:1").join().join().members());
            List<Integer> numbers = IntStream.range(0, 2000).boxed().toList();
            CompletableFuture<Void> all = CompletableFuture.completedFuture(null);
            for (int number : numbers) {
                CompletableFuture<Void> fate = sendWithin(sender, number);
                all = CompletableFuture.allOf(all, fate);
            }
            all.get(30, TimeUnit.SECONDS);
            for (BlockingQueue<Integer> of : List.of(ann, bob)) {
                for (int number : numbers) {
                    assertEquals(number, of.poll(10, TimeUnit.SECONDS));
                }
                assertTrue(of.isEmpty());
            }
        }
    }

    /** The outbox holds 1,000: a sender that is faster waits for one to be acknowledged. */
    private static CompletableFuture<Void> sendWithin(RealtimeClient sender, int number) {
        CompletableFuture<Void> fate = sender.room("chat:1").send(SAY, number);
        if (number % 500 == 499) {
            fate.join();
        }
        return fate;
    }

    @Test
    void clientComesBackAfterServerRestartsAndIsToldOfGap() throws Exception {
        BlockingQueue<Integer> said = new LinkedBlockingQueue<>();
        BlockingQueue<String> gaps = new LinkedBlockingQueue<>();
        BlockingQueue<ConnectionState.Status> states = new LinkedBlockingQueue<>();
        ClientListener listener = new ClientListener() {
            @Override
            public void onGap(Gap gap) {
                gaps.add(gap.room());
            }

            @Override
            public void onState(ConnectionState state) {
                states.add(state.status());
            }
        };
        try (RealtimeClient client = client("ann").listener(listener).build()) {
            client.on(SAID, message -> said.add(message.data()));
            client.connect().join();
            assertEquals(1, client.room("chat:1").join().join().members());
            client.room("chat:1").send(SAY, 1).join();
            int port = server.port();
            server.close();
            ConnectionState.Status status = null;
            while (status != ConnectionState.Status.WAITING) {
                status = states.poll(10, TimeUnit.SECONDS);
                assertNotNull(status, "the client never noticed that the server is gone");
            }
            CompletableFuture<Void> kept = client.room("chat:1").send(SAY, 2); // while offline
            server = start(transport, port);
            kept.get(30, TimeUnit.SECONDS);
            assertEquals(1, said.poll(10, TimeUnit.SECONDS));
            assertEquals(2, said.poll(10, TimeUnit.SECONDS));
            assertTrue(gaps.contains("chat:1"), gaps.toString());
        }
    }

    @Test
    void refusalReachesTheClientThatAsked() throws Exception {
        try (RealtimeClient client = client("ann").build()) {
            client.connect().join();
            CompletionException forbidden = assertThrows(
                    CompletionException.class, () -> client.room("vault").join().join());
            assertEquals(ErrorCode.FORBIDDEN, code(forbidden.getCause()));
            ExecutionException soldOut = assertThrows(
                    ExecutionException.class, () -> client.send(FAIL, 1).get(10, TimeUnit.SECONDS));
            assertEquals("sold_out", code(soldOut.getCause()).value());
        }
        try (RealtimeClient client = client("bad").build()) {
            ExecutionException refused = assertThrows(
                    ExecutionException.class, () -> client.connect().get(10, TimeUnit.SECONDS));
            assertTrue(String.valueOf(refused.getCause()).contains("no such user"), String.valueOf(refused.getCause()));
        }
        try (RealtimeClient client = client("ann")
                .token(() -> CompletableFuture.failedFuture(new TokenRefusedException("logged out")))
                .build()) {
            assertThrows(ExecutionException.class, () -> client.connect().get(10, TimeUnit.SECONDS));
            assertEquals(ConnectionState.Status.CLOSED, client.state().status());
        }
    }

    private static ErrorCode code(@Nullable Throwable failure) {
        return assertInstanceOf(RemoteException.class, failure).code();
    }

    @Test
    void portInUseIsNamedAndLeavesNothingRunning() throws Exception {
        try (ServerSocket taken = new ServerSocket(0)) {
            int port = taken.getLocalPort();
            RealtimeException failure = assertThrows(RealtimeException.class, () -> start(transport, port));
            assertTrue(
                    String.valueOf(failure.getMessage()).endsWith(":" + port + ": Address already in use"),
                    failure.getMessage());
        }
    }
}
