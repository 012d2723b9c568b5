package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.Heartbeat;
import io.realtime.client.internal.connection.ClientThreads;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.ClientTransport;
import io.realtime.testing.ManualScheduler;
import java.net.URI;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class RealtimeClientBuilderTest {
    private static String refusal(Runnable misuse) {
        return String.valueOf(
                assertThrows(IllegalArgumentException.class, misuse::run).getMessage());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://host/ws",
                "host/ws",
                "ws:///ws",
                "ws://:80/ws",
                "ws://h:65536/ws",
                "wss://h/ws#there",
                "ws:x"
            })
    void addressThatIsNoneIsRefusedByName(String address) {
        String message = refusal(() -> RealtimeClient.builder(URI.create(address)));
        assertTrue(message.contains(address.replaceAll("#.*", "")) || message.contains("ws"), message);
    }

    @Test
    void refusalNamesNoSecret() {
        assertFalse(refusal(() -> RealtimeClient.builder(URI.create("http://h/ws?token=geheim")))
                .contains("geheim"));
        for (String address : List.of("ws://u:geheim@h/ws", "http://u:geheim@h/ws", "ws://u:geheim@under_score/ws")) {
            assertFalse(
                    refusal(() -> RealtimeClient.builder(URI.create(address))).contains("geheim"));
        }
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("ws://h/ws"));
        assertFalse(refusal(() -> builder.token("geheim\r\nX: y")).contains("geheim"));
        String header = refusal(() -> builder.header("X-Key", "geheim\r\n"));
        assertTrue(header.contains("X-Key") && !header.contains("geheim"), header);
    }

    @SuppressWarnings("ImmutableEnumChecker") // its functions keep nothing
    private enum Extreme {
        MESSAGE_BYTES("messageBytes 2147483647", builder -> builder.messageBytes(Integer.MAX_VALUE)),
        MESSAGE_AND_INBOUND_BYTES(
                "messageBytes 2147483647",
                builder -> builder.messageBytes(Integer.MAX_VALUE).inboundBytes(Integer.MAX_VALUE)),
        LARGE_MESSAGE_BYTES(
                "", builder -> builder.messageBytes(Integer.MAX_VALUE - 1024).inboundBytes(Integer.MAX_VALUE)),
        INBOUND_BYTES("", builder -> builder.inboundBytes(Integer.MAX_VALUE)),
        OUTBOUND_BYTES("outboundBytes 2147483647", builder -> builder.outboundBytes(Integer.MAX_VALUE)),
        OUTBOX(
                "",
                builder -> builder.outbox(OutboxLimits.builder()
                        .messages(Integer.MAX_VALUE)
                        .bytes(Long.MAX_VALUE)
                        .maxAge(Duration.ofSeconds(Long.MAX_VALUE))
                        .build())),
        ATTEMPTS(
                "",
                builder -> builder.backoff(Backoff.builder()
                        .maxAttempts(Integer.MAX_VALUE)
                        .multiplier(Double.MAX_VALUE)
                        .cap(Duration.ofSeconds(Long.MAX_VALUE))
                        .build())),
        LEAST_MESSAGE_BYTES("messageBytes 1 ", builder -> builder.messageBytes(1)),
        LEAST_INBOUND_BYTES("inboundBytes 1 ", builder -> builder.inboundBytes(1)),
        LEAST_OUTBOUND_BYTES("outboundBytes 1 ", builder -> builder.outboundBytes(1)),
        LEAST_CONNECTION(
                "", builder -> builder.messageBytes(1024).inboundBytes(2048).outboundBytes(32768)),
        LEAST_HEARTBEAT(
                "interval PT0.000000001S",
                builder -> builder.heartbeat(new Heartbeat(Duration.ofNanos(1), Duration.ofSeconds(1))));

        private final String refusal;
        private final UnaryOperator<RealtimeClient.Builder> change;

        Extreme(String refusal, UnaryOperator<RealtimeClient.Builder> change) {
            this.refusal = refusal;
            this.change = change;
        }
    }

    @ParameterizedTest
    @EnumSource
    void extremeValueIsRefusedByNameOrWorks(Extreme extreme) {
        try (World world = new World()) {
            RealtimeClient client;
            try {
                client = world.use(extreme.change.apply(world.builder()));
            } catch (IllegalArgumentException | IllegalStateException refused) {
                String why = String.valueOf(refused.getMessage());
                assertTrue(!extreme.refusal.isEmpty() && why.contains(extreme.refusal), why);
                return;
            }
            assertEquals("", extreme.refusal);
            world.connected();
            for (int i = 0; i < 3; i++) {
                var unused = client.send(World.SAY, new World.Say("x"));
            }
            world.settle();
            assertEquals(List.of(), world.errors);
            assertEquals(3, world.peer().says().size());
        }
    }

    @Test
    void contradictionsAreRefused() {
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("ws://h/ws"));
        assertTrue(refusal(() -> builder.connectTimeout(Duration.ZERO)).contains("PT0S"));
        assertTrue(refusal(() -> builder.header("Host", "x")).contains("Host"));
        assertTrue(refusal(() -> builder.header("a b", "x")).contains("a b"));
        assertTrue(refusal(() -> OutboxLimits.builder().messages(0).build()).contains("0"));
    }

    @Test
    void endedCallbackThreadPassesItsTasksOn() {
        List<Runnable> passedOn = new ArrayList<>();
        ThreadPoolExecutor thread = ClientThreads.callbackThread(passedOn::add);
        thread.shutdown();
        Runnable task = () -> {};
        thread.execute(task); // a refusal would be logged as one of the application's executor
        assertEquals(List.of(task), passedOn);
    }

    @Test
    void methodReferenceIsATokenProvider() {
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("WSS://h/ws"));
        builder.token(this::fresh).token(TokenProvider.blocking(() -> "t"));
        try (RealtimeClient client = builder.build()) {
            assertEquals("RealtimeClient{wss://h/ws, " + client.state() + "}", client.toString());
        }
    }

    private CompletionStage<String> fresh() {
        return CompletableFuture.completedFuture("fresh");
    }

    @Test
    void blockingSourceIsAskedOnAnotherThread() {
        Thread caller = Thread.currentThread();
        TokenProvider provider = TokenProvider.blocking(() -> Thread.currentThread() == caller ? "same" : "other");
        assertEquals("other", provider.token().toCompletableFuture().join());
    }

    @Test
    @Timeout(60)
    void sourceThatHangsIsCalledOnceAndLatestAttemptGetsItsToken() throws Exception {
        Semaphore calls = new Semaphore(0);
        BlockingQueue<String> tokens = new LinkedBlockingQueue<>();
        TokenProvider provider = TokenProvider.blocking(() -> {
            calls.release();
            return take(tokens);
        });
        CompletableFuture<String> first = provider.token().toCompletableFuture();
        calls.acquire();
        CompletableFuture<String> second = provider.token().toCompletableFuture();
        assertThrows(CancellationException.class, first::get);
        CompletableFuture<String> third = provider.token().toCompletableFuture();
        assertThrows(CancellationException.class, second::get);
        tokens.put("late");
        assertEquals("late", third.get());
        assertEquals(0, calls.availablePermits());

        CompletableFuture<String> next = provider.token().toCompletableFuture();
        calls.acquire();
        tokens.put("");
        assertThrows(ExecutionException.class, next::get);
        tokens.put("after a failure");
        assertEquals("after a failure", provider.token().toCompletableFuture().get());
    }

    private static String take(BlockingQueue<String> tokens) {
        try {
            String token = tokens.take();
            if (token.isEmpty()) {
                throw new IllegalStateException("no token");
            }
            return token;
        } catch (InterruptedException impossible) {
            throw new AssertionError(impossible);
        }
    }

    /** A token may be good for one of them alone. */
    @Test
    @Timeout(60)
    void clientsOfOneBlockingProviderHaveCallsOfTheirOwn() throws InterruptedException {
        Semaphore calls = new Semaphore(0);
        BlockingQueue<String> tokens = new LinkedBlockingQueue<>();
        TokenProvider provider = TokenProvider.blocking(() -> {
            calls.release();
            return take(tokens);
        });
        RealtimeClient.Builder builder =
                RealtimeClient.builder(URI.create("ws://h/ws")).token(provider);
        try (RealtimeClient one = builder.build();
                RealtimeClient other = builder.build()) {
            var unused = List.of(one.connect(), other.connect());
            calls.acquire(2);
        } finally {
            tokens.put("one");
            tokens.put("other");
        }
    }

    @Test
    void clientKeepsNothingOfItsBuilder() {
        ManualScheduler time = new ManualScheduler();
        List<String> told = new ArrayList<>();
        List<ClientTransport.Target> targets = new ArrayList<>();
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("ws://h/ws"))
                .scheduler(time)
                .callbackExecutor(time)
                .random(new Random(1))
                .header("X-Key", "first")
                .token(() -> {
                    told.add("first token");
                    return CompletableFuture.completedFuture("t");
                })
                .transport((target, callback) -> {
                    targets.add(target);
                    return () -> {};
                });
        RealtimeClient client = builder.build();
        builder.header("X-Key", "second")
                .header("X-More", "second")
                .token(() -> {
                    told.add("second token");
                    return CompletableFuture.completedFuture("t");
                })
                .transport((target, callback) -> {
                    told.add("second transport");
                    return () -> {};
                })
                .listener(new ClientListener() {
                    @Override
                    public void onState(ConnectionState state) {
                        told.add("second listener");
                    }
                })
                .callbackExecutor(task -> told.add("second executor"))
                .backoff(Backoff.builder().cap(Duration.ofMillis(500)).build())
                .heartbeat(new Heartbeat(Duration.ofSeconds(1), Duration.ofSeconds(2)))
                .outbox(OutboxLimits.builder().messages(1).build())
                .tokenTimeout(Duration.ofMillis(1))
                .connectTimeout(Duration.ofMillis(1))
                .messageBytes(4_096)
                .inboundBytes(8_192)
                .outboundBytes(32_768)
                .random(new Random(2));
        CompletableFuture<?> unused = client.connect();
        time.advance(Duration.ofSeconds(5));
        client.close();
        time.advance(Duration.ofSeconds(5));
        assertEquals(List.of("first token"), told);
        assertEquals(
                List.of(new ClientTransport.Target(
                        URI.create("ws://h/ws"), Map.of("X-Key", "first"), Protocol.SUBPROTOCOL, 2 << 20, 4 << 20)),
                targets);
    }

    @Test
    void outboxLimitsKeepNothingOfTheirBuilder() {
        OutboxLimits.Builder builder = OutboxLimits.builder();
        OutboxLimits built = builder.build();
        builder.messages(7).bytes(7).overflow(OutboxLimits.Overflow.DROP_OLDEST).maxAge(Duration.ofSeconds(7));
        assertEquals(OutboxLimits.defaults().toString(), built.toString());
        assertEquals(
                "OutboxLimits{messages=7, bytes=7, overflow=DROP_OLDEST, maxAge=PT7S}",
                builder.build().toString());
    }

    @Test
    void limitsThatContradictAreRefusedNamingBoth() {
        RealtimeClient.Builder builder =
                RealtimeClient.builder(URI.create("ws://host/ws")).messageBytes(8 << 20);
        IllegalStateException refusal = assertThrows(IllegalStateException.class, builder::build);
        assertEquals("messageBytes 8388608 exceeds inboundBytes 8388608 less 256", refusal.getMessage());
        builder.inboundBytes((8 << 20) + 256).build().close();
    }

    @Test
    void limitsBeyondReasonAreRefusedNamingTheValue() {
        RealtimeClient.Builder builder = RealtimeClient.builder(URI.create("ws://host/ws"));
        assertEquals("outboundBytes 67108865 is above 67108864", refusal(() -> builder.outboundBytes((64 << 20) + 1)));
        assertEquals("outboundBytes 32767 is below 32768", refusal(() -> builder.outboundBytes(32_767)));
        assertEquals("inboundBytes 2047 is below 2048", refusal(() -> builder.inboundBytes(2047)));
        Duration forever = ChronoUnit.FOREVER.getDuration();
        assertEquals("tokenTimeout " + forever + " is above PT24H", refusal(() -> builder.tokenTimeout(forever)));
        assertEquals("connectTimeout " + forever + " is above PT24H", refusal(() -> builder.connectTimeout(forever)));
        assertEquals("tokenTimeout PT0S is not positive", refusal(() -> builder.tokenTimeout(Duration.ZERO)));
    }
}
