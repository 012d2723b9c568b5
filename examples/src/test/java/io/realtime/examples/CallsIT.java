package io.realtime.examples;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.Subscription;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import io.realtime.server.SessionListener;
import io.realtime.testing.FaultProxy;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SubmissionPublisher;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** Requests and streams, both ways, over real sockets that may be cut. */
@Timeout(120)
@ParameterizedClass(name = "{0}")
@ValueSource(strings = {"java-websocket", "netty"})
class CallsIT {
    record Range(int count, String filler) {}

    private static final Request<Integer, Integer> DOUBLE = Request.of("double", Integer.class, Integer.class);
    private static final Request<Integer, Integer> LATER = Request.of("later", Integer.class, Integer.class);
    private static final Request<String, String> CONFIRM = Request.of("confirm", String.class, String.class);
    private static final StreamRequest<Range, String> COUNT = StreamRequest.of("count", Range.class, String.class);
    private static final StreamRequest<Range, String> PUBLISHED =
            StreamRequest.of("published", Range.class, String.class);
    private static final StreamRequest<Range, String> ENDLESS = StreamRequest.of("endless", Range.class, String.class);
    private static final StreamRequest<Range, String> FAILS = StreamRequest.of("fails", Range.class, String.class);

    @Parameter
    String transport = "";

    private final BlockingQueue<CompletableFuture<Integer>> later = new LinkedBlockingQueue<>();
    private final BlockingQueue<String> ended = new LinkedBlockingQueue<>();
    private final BlockingQueue<Session> sessions = new LinkedBlockingQueue<>();
    private final AtomicInteger doubled = new AtomicInteger();
    private final AtomicInteger produced = new AtomicInteger();
    private final List<SubmissionPublisher<String>> publishers = new ArrayList<>();
    private RealtimeServer server;
    private FaultProxy proxy;
    private RealtimeClient client;

    @BeforeEach
    void start() throws Exception {
        server = RealtimeServer.builder()
                .port(0)
                .transport(transport)
                .authenticator(c -> CompletableFuture.completedFuture(Authentication.of(String.valueOf(c.token()))))
                .limits(Limits.builder()
                        .rate(RateLimit.none())
                        .resumptionsPerSession(RateLimit.none())
                        .build())
                .onRequest(DOUBLE, (session, number) -> {
                    doubled.incrementAndGet();
                    if (number < 0) {
                        throw new RealtimeException(ErrorCode.of("negative"), "no negative numbers");
                    }
                    return 2 * number;
                })
                .onRequestAsync(LATER, (session, number) -> {
                    CompletableFuture<Integer> answer = new CompletableFuture<>();
                    later.add(answer);
                    return answer;
                })
                .onStream(COUNT, (session, range, out) -> {
                    for (int i = 0; i < range.count; i++) {
                        out.send(i + range.filler);
                    }
                })
                .onStream(ENDLESS, (session, range, out) -> {
                    try {
                        while (true) {
                            out.send("tick");
                            produced.incrementAndGet();
                        }
                    } catch (RealtimeException over) {
                        ended.add(over.code() + " " + out.isCancelled());
                        throw over;
                    }
                })
                .onStream(FAILS, (session, range, out) -> {
                    out.send("one");
                    throw new IllegalStateException("not for the client");
                })
                .onStreamPublisher(PUBLISHED, (session, range) -> {
                    SubmissionPublisher<String> publisher = new SubmissionPublisher<>();
                    publishers.add(publisher);
                    CompletableFuture<Void> unused = CompletableFuture.runAsync(() -> {
                        await().until(publisher::hasSubscribers);
                        IntStream.range(0, range.count).forEach(i -> publisher.submit(i + range.filler));
                        publisher.close();
                    });
                    return publisher;
                })
                .listener(new SessionListener() {
                    @Override
                    public void onOpen(Session session) {
                        sessions.add(session);
                    }
                })
                .build()
                .start();
        proxy = FaultProxy.to(server.port());
        client = RealtimeClient.builder(URI.create("ws://localhost:" + proxy.port() + "/ws"))
                .token("ann")
                .backoff(Backoff.builder()
                        .initial(Duration.ofMillis(20))
                        .cap(Duration.ofMillis(200))
                        .build())
                .build();
    }

    @AfterEach
    void stop() {
        client.close();
        proxy.close();
        server.close(Duration.ofSeconds(1));
        publishers.forEach(SubmissionPublisher::close);
    }

    private void connect() throws Exception {
        client.connect().get(10, TimeUnit.SECONDS);
    }

    private static RealtimeException failure(CompletableFuture<?> future) {
        ExecutionException thrown = assertThrows(ExecutionException.class, () -> future.get(20, TimeUnit.SECONDS));
        return assertInstanceOf(RealtimeException.class, thrown.getCause());
    }

    /** What a stream brought. */
    private static final class Heard implements StreamListener<String> {
        final Queue<String> items = new ConcurrentLinkedQueue<>();
        final CompletableFuture<Void> end = new CompletableFuture<>();

        @Override
        public void onItem(String item) {
            items.add(item);
        }

        @Override
        public void onEnd() {
            end.complete(null);
        }

        @Override
        public void onError(Throwable failure) {
            end.completeExceptionally(failure);
        }

        void assertCounted(int count, String filler) throws Exception {
            end.get(60, TimeUnit.SECONDS);
            List<String> expected =
                    IntStream.range(0, count).mapToObj(i -> i + filler).toList();
            assertEquals(expected, List.copyOf(items));
        }
    }

    // ---- requests

    @Test
    void requestIsAnsweredOrRefused() throws Exception {
        CompletableFuture<Integer> early = client.request(DOUBLE, 4); // waits for the connection
        connect();
        assertEquals(8, early.get(10, TimeUnit.SECONDS));
        assertEquals(42, client.request(DOUBLE, 21).get(10, TimeUnit.SECONDS));
        RealtimeException refused = failure(client.request(DOUBLE, -1));
        assertInstanceOf(RemoteException.class, refused);
        assertEquals("negative", refused.code().value());
        assertEquals(ErrorCode.NO_HANDLER, failure(client.request(CONFIRM, "?")).code());
        assertEquals(
                ErrorCode.TIMEOUT,
                failure(client.request(LATER, 1, Duration.ofMillis(50))).code());
    }

    @Test
    void requestInFlightIsAnsweredAfterReconnectAndHandledOnce() throws Exception {
        connect();
        CompletableFuture<Integer> answer = client.request(LATER, 1);
        CompletableFuture<Integer> later = this.later.poll(10, TimeUnit.SECONDS);
        proxy.refuse(true);
        proxy.cutAll();
        List<CompletableFuture<Integer>> meanwhile =
                IntStream.range(0, 100).mapToObj(i -> client.request(DOUBLE, i)).toList();
        later.complete(77);
        proxy.refuse(false);
        assertEquals(77, answer.get(20, TimeUnit.SECONDS));
        for (int i = 0; i < 100; i++) {
            assertEquals(2 * i, meanwhile.get(i).get(20, TimeUnit.SECONDS));
        }
        assertEquals(100, doubled.get());
        assertEquals(0, this.later.size());
    }

    @Test
    void requestsFailWhenTheServerDisappears() throws Exception {
        connect();
        CompletableFuture<Integer> answer = client.request(LATER, 1);
        Heard heard = new Heard();
        Subscription unused = client.stream(ENDLESS, new Range(0, ""), heard);
        await().until(() -> !heard.items.isEmpty() && !later.isEmpty());
        client.disconnect();
        assertEquals(ErrorCode.CLOSED, failure(answer).code());
        assertEquals(ErrorCode.CLOSED, failure(heard.end).code());
    }

    @Test
    void serverAsksAClient() throws Exception {
        client.onRequest(CONFIRM, question -> {
            if (question.isEmpty()) {
                throw new IllegalStateException("not for the server");
            }
            return question + "!";
        });
        connect();
        Session session = sessions.poll(10, TimeUnit.SECONDS);
        assertEquals("sure!", session.request(CONFIRM, "sure").get(10, TimeUnit.SECONDS));
        assertEquals(ErrorCode.INTERNAL, failure(session.request(CONFIRM, "")).code());
        assertEquals(ErrorCode.NO_HANDLER, failure(session.request(DOUBLE, 1)).code());
        proxy.refuse(true);
        proxy.cutAll();
        CompletableFuture<String> meanwhile = session.request(CONFIRM, "still there");
        assertEquals(
                ErrorCode.TIMEOUT,
                failure(session.request(CONFIRM, "now", Duration.ofMillis(20))).code());
        proxy.refuse(false);
        assertEquals("still there!", meanwhile.get(20, TimeUnit.SECONDS));
    }

    // ---- streams

    @Test
    void streamBringsEveryItemInOrderThroughCuts() throws Exception {
        connect();
        int count = 5_000;
        String filler = "x".repeat(200);
        List<Heard> all = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            Heard heard = new Heard();
            all.add(heard);
            Subscription unused = client.stream(i % 2 == 0 ? COUNT : PUBLISHED, new Range(count, filler), heard);
        }
        for (int cut = 1; cut <= 5; cut++) {
            int progress = cut * count / 10;
            await().atMost(Duration.ofSeconds(30)).until(() -> all.get(0).items.size() >= progress);
            proxy.cutAll();
        }
        for (Heard heard : all) {
            heard.assertCounted(count, filler);
        }
    }

    @Test
    void cancellingReachesTheProducer() throws Exception {
        connect();
        Heard heard = new Heard();
        Subscription stream = client.stream(ENDLESS, new Range(0, ""), heard);
        await().until(() -> heard.items.size() > 200);
        stream.close();
        assertEquals("cancelled true", ended.poll(10, TimeUnit.SECONDS));
        int then = heard.items.size();
        assertEquals(42, client.request(DOUBLE, 21).get(10, TimeUnit.SECONDS));
        assertEquals(then, heard.items.size());
        assertTrue(!heard.end.isDone());
    }

    @Test
    void readerThatIsSlowSlowsTheProducerAndNobodyElse() throws Exception {
        connect();
        CountDownLatch slow = new CountDownLatch(1);
        AtomicInteger taken = new AtomicInteger();
        RealtimeClient other = RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                .token("bob")
                .build();
        try (other) {
            other.connect().get(10, TimeUnit.SECONDS);
            Subscription unused = other.stream(ENDLESS, new Range(0, ""), item -> {
                taken.incrementAndGet();
                try {
                    slow.await();
                } catch (InterruptedException over) {
                    Thread.currentThread().interrupt();
                }
            });
            await().until(() -> produced.get() == 64);
            Heard heard = new Heard();
            Subscription unusedToo = client.stream(COUNT, new Range(1_000, ""), heard);
            heard.assertCounted(1_000, "");
            assertEquals(64, produced.get());
            assertEquals(1, taken.get());
            slow.countDown();
            await().until(() -> produced.get() > 1_000);
        }
    }

    @Test
    void producerThatFailsEndsTheStream() throws Exception {
        connect();
        Heard heard = new Heard();
        Subscription unused = client.stream(FAILS, new Range(0, ""), heard);
        RealtimeException failure = failure(heard.end);
        assertEquals(ErrorCode.INTERNAL, failure.code());
        assertTrue(!failure.getMessage().contains("not for"), failure.getMessage());
        assertEquals(List.of("one"), List.copyOf(heard.items));
        Heard nothing = new Heard();
        Subscription unusedToo =
                client.stream(StreamRequest.of("nobody", Range.class, String.class), new Range(0, ""), nothing);
        assertEquals(ErrorCode.NO_HANDLER, failure(nothing.end).code());
    }

    @Test
    void clientProducesAStreamForTheServer() throws Exception {
        client.onStream(COUNT, (range, out) -> {
            for (int i = 0; i < range.count; i++) {
                out.send(i + range.filler);
            }
        });
        BlockingQueue<StreamSink<String>> sinks = new LinkedBlockingQueue<>();
        client.onStreamAsync(ENDLESS, (range, out) -> sinks.add(out));
        connect();
        Session session = sessions.poll(10, TimeUnit.SECONDS);
        Heard heard = new Heard();
        Subscription unused = session.stream(COUNT, new Range(3_000, "x"), heard);
        await().until(() -> heard.items.size() > 500);
        proxy.cutAll();
        heard.assertCounted(3_000, "x");
        Subscription cancelled = session.stream(ENDLESS, new Range(0, ""), new Heard());
        StreamSink<String> sink = sinks.poll(10, TimeUnit.SECONDS);
        assertTrue(sink.offer("one"));
        cancelled.close();
        await().until(sink::isCancelled);
        assertEquals(1, client.request(DOUBLE, 21).thenApply(done -> 1).get(10, TimeUnit.SECONDS));
    }

    @Test
    void manyStreamsAtOnceOneOfThemSlow() throws Exception {
        connect();
        int streams = Integer.getInteger("calls.streams", 64);
        int count = Integer.getInteger("calls.items", 1_000);
        CountDownLatch slow = new CountDownLatch(1);
        ExecutorService own = Executors.newSingleThreadExecutor();
        Subscription unused = client.stream(
                ENDLESS,
                new Range(0, ""),
                item -> {
                    try {
                        slow.await();
                    } catch (InterruptedException over) {
                        Thread.currentThread().interrupt();
                    }
                },
                own);
        List<Heard> all = new ArrayList<>();
        for (int i = 1; i < streams; i++) {
            Heard heard = new Heard();
            all.add(heard);
            Subscription unusedToo = client.stream(COUNT, new Range(count, "-" + i), heard);
        }
        for (int i = 1; i < streams; i++) {
            all.get(i - 1).assertCounted(count, "-" + i);
        }
        assertEquals(64, produced.get(), "what the slow one was sent");
        slow.countDown();
        await().until(() -> produced.get() > 1_000);
        own.shutdown();
    }
}
