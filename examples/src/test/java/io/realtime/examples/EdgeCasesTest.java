package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.HistoryQuery;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.DroppedMessage;
import io.realtime.client.FileOutbox;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import io.realtime.testing.HeldExecutor;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A client and a server that end what neither could end alone: an account switch, a message that is too long. */
class EdgeCasesTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final ErrorCode RUDE = ErrorCode.of("rude");
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final StreamRequest<Integer, String> PAGES = StreamRequest.of("pages", Integer.class, String.class);
    private static final Request<String, String> ECHO = Request.of("echo", String.class, String.class);

    @TempDir
    Path directory;

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final List<String> handled = new ArrayList<>();
    private final List<String> dropped = new ArrayList<>();
    private final List<String> gaps = new ArrayList<>();
    private final List<String> heard = new ArrayList<>();
    private String token = "alice";
    private final RealtimeServer server = RealtimeServer.builder()
            .port(0)
            .transport(network.serverTransport())
            .scheduler(time)
            .executor(time)
            .authenticator(credentials -> CompletableFuture.completedFuture(Authentication.of(
                    "guest".equals(credentials.token())
                            ? "guest-" + credentials.client()
                            : String.valueOf(credentials.token()))))
            .allowJoin((session, room) -> true)
            .onStreamAsync(
                    PAGES,
                    (session, length, out) -> out.onReady(() -> {
                        while (out.offer("x".repeat(length))) {}
                    }))
            .onRequest(ECHO, (session, text) -> text)
            .on(SAY, (session, message) -> {
                if (message.data().equals("rude")) {
                    throw new RealtimeException(RUDE, "not here");
                }
                handled.add(session.user().id() + ": " + message.data());
            })
            .build()
            .start();

    @AfterEach
    void close() {
        server.close(Duration.ZERO);
        time.advance(Duration.ofSeconds(30));
    }

    private RealtimeClient.Builder builder() {
        return RealtimeClient.builder(URI.create("ws://server:" + server.port() + "/ws"))
                .transport(network.clientTransport())
                .scheduler(time)
                .callbackExecutor(time)
                .token(() -> CompletableFuture.completedFuture(token))
                .listener(new ClientListener() {
                    @Override
                    public void onDropped(DroppedMessage message) {
                        dropped.add(message.data(SAY) + " " + message.cause().code());
                    }

                    @Override
                    public void onGap(Gap gap) {
                        gaps.add(gap.room() + " " + gap.reason());
                    }
                });
    }

    private void settle() {
        time.advance(Duration.ofSeconds(2));
    }

    private void connect(RealtimeClient client, String as) {
        token = as;
        var unused = client.connect();
        settle();
        assertTrue(client.isConnected(), client::toString);
    }

    @Test
    void messageOfOneUserIsNotSentAsAnother() {
        RealtimeClient client = builder().build();
        connect(client, "alice");
        var joined = client.room("alices").join();
        settle();
        assertTrue(joined.isDone());
        client.disconnect();
        var waiting = client.send(SAY, "from alice");
        server.connections().user("bob").send(SAID, "waits for bob");
        client.on(SAID, said -> heard.add(said.data()));
        connect(client, "bob");
        var bobs = client.send(SAY, "from bob");
        settle();

        assertEquals(List.of("bob: from bob"), handled);
        assertEquals(List.of("from alice " + ErrorCode.USER_CHANGED), dropped);
        assertTrue(waiting.isCompletedExceptionally());
        assertTrue(bobs.isDone() && !bobs.isCompletedExceptionally());
        assertEquals(List.of("waits for bob"), heard);
        assertEquals(
                0,
                server.connections().room("alices").localMembers().stream()
                        .filter(session -> session.user().id().equals("bob"))
                        .count());
        assertEquals(1, server.connections().user("bob").sessions().size());
        connect(client, "bob");
        client.close();
    }

    @Test
    void anonymousClientConnectsAfterUser() {
        RealtimeClient client = builder().build();
        connect(client, "alice");
        client.disconnect();
        var lost = client.send(SAY, "from alice");
        connect(client, "guest");
        var sent = client.send(SAY, "from a guest");
        settle();
        assertTrue(lost.isCompletedExceptionally());
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally());
        assertEquals(1, handled.size());
        assertTrue(handled.get(0).startsWith("guest-"), handled::toString);
        client.close();
    }

    @Test
    void fileOfAnotherUserIsNotSent() throws IOException {
        Path file = directory.resolve("outbox");
        RealtimeClient alices =
                builder().outboxFile(FileOutbox.open(file, time)).build();
        connect(alices, "alice");
        alices.disconnect();
        settle();
        var lost = alices.send(SAY, "from alice");
        settle();
        alices.close();
        settle();
        assertTrue(lost.isCompletedExceptionally());

        RealtimeClient bobs = builder().outboxFile(FileOutbox.open(file, time)).build();
        connect(bobs, "bob");
        var sent = bobs.send(SAY, "from bob");
        settle();
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally());
        assertEquals(List.of("bob: from bob"), handled);
        assertEquals(List.of("from alice " + ErrorCode.USER_CHANGED), dropped);
        bobs.close();
        settle();
    }

    @Test
    void messageTooLongForTheClientIsSkippedOnce() {
        RealtimeClient client = builder().messageBytes(10_000).build();
        var handler = client.room("r").on(SAID, said -> heard.add(said.data().substring(0, 1)));
        List<String> pages = new ArrayList<>();
        var hook = client.room("r")
                .onReload(gap -> client.room("r")
                        .history(HistoryQuery.newest(10))
                        .thenApply(page -> {
                            page.messages(SAID)
                                    .forEach(said -> pages.add(said.data().substring(0, 1)));
                            return page.position();
                        }));
        connect(client, "alice");
        var joined = client.room("r").join();
        settle();
        assertTrue(joined.isDone());
        server.connections().room("r").send(SAID, "a");
        server.connections().room("r").send(SAID, "b" + "x".repeat(20_000));
        server.connections().room("r").send(SAID, "c");
        settle();
        network.cutAll();
        server.connections().room("r").send(SAID, "d" + "x".repeat(20_000));
        server.connections().room("r").send(SAID, "e");
        settle();
        assertTrue(client.isConnected());
        assertEquals(List.of("r too_big", "r too_big"), gaps);
        assertEquals(List.of("a"), heard.subList(0, 1));
        assertTrue(pages.contains("c") && pages.contains("e") && !pages.contains("d"), pages::toString);
        assertEquals(1, server.connections().user("alice").sessions().size());
        handler.close();
        hook.close();
        client.close();
    }

    @Test
    void rateLimitedMessagesNeverFillTheMailbox() {
        List<CloseReason> lost = new ArrayList<>();
        RealtimeClient client = builder()
                .listener(new ClientListener() {
                    @Override
                    public void onState(ConnectionState state) {
                        if (state.reason() != null) {
                            lost.add(state.reason());
                        }
                    }
                })
                .build();
        connect(client, "alice");
        String text = "x".repeat(25_000);
        for (int i = 0; i < 300; i++) { // 100 more than the burst
            var unused = client.send(SAY, text);
        }
        time.advance(Duration.ofSeconds(10));
        assertEquals(300, handled.size());
        assertEquals(List.of(), lost);
        client.close();
    }

    @Test
    void slowStreamListenerSlowsItsStreamOnly() {
        RealtimeClient client =
                builder().messageBytes(100_000).inboundBytes(1 << 20).build();
        connect(client, "alice");
        HeldExecutor waiting = new HeldExecutor();
        List<Integer> lengths = new ArrayList<>();
        var stream = client.stream(
                PAGES,
                50_000,
                new StreamListener<String>() {
                    @Override
                    public void onItem(String item) {
                        lengths.add(item.length());
                    }

                    @Override
                    public void onEnd() {
                        throw new AssertionError("it has none");
                    }

                    @Override
                    public void onError(Throwable failure) {
                        throw new AssertionError(failure);
                    }
                },
                waiting);
        settle();
        assertFalse(waiting.size() == 0);
        var answer = client.request(ECHO, "still here");
        settle();
        assertEquals("still here", answer.getNow(null));
        for (int i = 0; i < 100; i++) { // and it goes on when the listener does
            waiting.runAll();
            settle();
        }
        assertTrue(lengths.size() > 500, lengths::toString);
        stream.close();
        client.close();
    }

    @Test
    void refusalArrivesAfterTheSessionEnded() {
        RealtimeClient client = builder().build();
        connect(client, "alice");
        network.latency(Duration.ofMillis(100));
        var rude = client.send(SAY, "rude");
        var kind = client.send(SAY, "kind");
        time.advance(Duration.ofMillis(150)); // both have arrived, and no answer has
        network.cutAll();
        network.refuseConnections(true);
        time.advance(Duration.ofMinutes(10));
        assertEquals(List.of("alice: kind"), handled);
        assertFalse(rude.isDone() || kind.isDone());
        network.refuseConnections(false);
        time.advance(Duration.ofMinutes(1));
        assertTrue(kind.isDone() && !kind.isCompletedExceptionally());
        assertTrue(rude.isCompletedExceptionally());
        client.close();
    }

    @Test
    void streamsOfAClientEndOnBothSidesWhenTheInboxIsLost() {
        List<StreamSink<String>> produced = new ArrayList<>();
        List<Throwable> failures = new ArrayList<>();
        RealtimeClient client = builder().build();
        client.onStreamAsync(PAGES, (length, out) -> {
            produced.add(out);
            boolean unused = out.offer("x".repeat(length));
        });
        connect(client, "alice");
        Session session =
                server.connections().user("alice").sessions().iterator().next();
        StreamListener<String> listener = new StreamListener<>() {
            @Override
            public void onItem(String item) {
                heard.add(item);
            }

            @Override
            public void onError(Throwable failure) {
                failures.add(failure);
            }
        };
        for (int i = 0; i < 100; i++) { // as many as a client produces
            var unused = session.stream(PAGES, 1, listener);
        }
        settle();
        assertEquals(100, heard.size());
        network.cutAll();
        network.refuseConnections(true);
        for (int i = 0; i < 1_500; i++) {
            session.send(SAID, "more than the inbox keeps");
        }
        settle();
        network.refuseConnections(false);
        time.advance(Duration.ofSeconds(30));
        assertTrue(client.isConnected());
        assertEquals(1, server.connections().user("alice").sessions().size());
        assertEquals(100, failures.size());
        assertEquals(100, produced.stream().filter(StreamSink::isCancelled).count());
        var unused = session.stream(PAGES, 1, listener);
        settle();
        assertEquals(100, failures.size());
        assertEquals(101, heard.size());
        client.close();
    }
}
