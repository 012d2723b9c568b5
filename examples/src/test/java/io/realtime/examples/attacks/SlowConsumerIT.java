package io.realtime.examples.attacks;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertIterableEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.client.ClientListener;
import io.realtime.client.ConnectionState;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.netty.NettyTransport;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.server.internal.transport.JavaWebSocketTransport;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.FaultProxy;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A client behind a network that stands still while messages are published: what is ephemeral is dropped first, then the
 * connection is closed with 4102, and when the client is back it gets all that is retained, once and in order.
 */
@Timeout(120)
@Isolated("measures processes that need the machine")
class SlowConsumerIT {
    private static final Event<String> NEWS = Event.of("news", String.class);
    private static final Event<String> TYPING = Event.ephemeral("typing", String.class);
    private static final String ROOM = "news";
    private static final int OUTBOUND = 256 * 1024;
    private static final int MOST = 100_000; // far more than sockets and proxy hold
    private static final String TEXT = ":" + "x".repeat(1024);

    private final Queue<Integer> news = new ConcurrentLinkedQueue<>();
    private final Queue<Integer> typing = new ConcurrentLinkedQueue<>();
    private final Queue<CloseReason> losses = new ConcurrentLinkedQueue<>();
    private final Queue<Gap> gaps = new ConcurrentLinkedQueue<>();

    // Of the callbacks: how much had come when the connection was lost.
    private volatile int newsBefore;
    private volatile int typingBefore;

    @ParameterizedTest
    @ValueSource(strings = {"java-websocket", "netty"})
    void ephemeralMessagesAreDroppedFirstAndRetainedOnesKept(String name) throws Exception {
        ServerTransport real = name.equals("netty") ? new NettyTransport() : new JavaWebSocketTransport();
        WatchedTransport transport = new WatchedTransport(real);
        try (RealtimeServer server = start(transport);
                FaultProxy proxy = FaultProxy.to(server.port());
                RealtimeClient client = client(proxy.port())) {
            client.on(NEWS, message -> news.add(number(message.data())));
            client.on(TYPING, message -> typing.add(number(message.data())));
            client.connect().get(10, TimeUnit.SECONDS);
            client.room(ROOM).join().get(10, TimeUnit.SECONDS);
            proxy.halfOpen(true);
            int count = 0;
            while (!transport.closing.isDone() && count < MOST) {
                publish(server, count++);
            }
            assertEquals(
                    CloseReason.SLOW_CONSUMER,
                    transport.closing.get(0, TimeUnit.SECONDS).code());
            int published = count;
            proxy.halfOpen(false);
            until(() -> !losses.isEmpty() && client.isConnected() && news.size() >= published);
            assertEquals(CloseReason.SLOW_CONSUMER, losses.element().code());
            assertEquals(1, losses.size());

            int half = OUTBOUND / 2 / TEXT.length();
            int lead = newsBefore - 1 - new ArrayList<>(typing).get(typingBefore - 1);
            assertTrue(lead > half / 2, () -> "ephemeral messages were sent up to " + lead + " before the last");
            assertTrue(newsBefore < published, "the last was not taken");

            publish(server, published);
            until(() -> news.size() > published && typing.contains(published));
            assertIterableEquals(IntStream.rangeClosed(0, published).boxed().toList(), news);
            List<Integer> seen = List.copyOf(typing);
            assertIterableEquals(seen.stream().sorted().distinct().toList(), seen);
            assertEquals(List.of(), List.copyOf(gaps));
        }
    }

    private static RealtimeServer start(ServerTransport transport) {
        return RealtimeServer.builder()
                .port(0)
                .transport(transport)
                .anonymous()
                .allowJoin((session, room) -> true)
                .limits(Limits.builder().outboundBytes(OUTBOUND).build())
                .retention(new Retention(MOST, Duration.ofHours(1), 1L << 30))
                .build()
                .start();
    }

    private RealtimeClient client(int port) {
        return RealtimeClient.builder(URI.create("ws://localhost:" + port + "/ws"))
                .backoff(Backoff.builder()
                        .floor(Duration.ofMillis(1))
                        .initial(Duration.ofMillis(10))
                        .cap(Duration.ofMillis(50))
                        .build())
                .listener(new ClientListener() {
                    @Override
                    public void onState(ConnectionState state) {
                        CloseReason reason = state.reason();
                        if (state.status() == ConnectionState.Status.WAITING && reason != null) {
                            newsBefore = news.size();
                            typingBefore = typing.size();
                            losses.add(reason);
                        }
                    }

                    @Override
                    public void onGap(Gap gap) {
                        gaps.add(gap);
                    }
                })
                .build();
    }

    private static void publish(RealtimeServer server, int number) {
        server.connections().room(ROOM).send(TYPING, number + TEXT);
        server.connections().room(ROOM).send(NEWS, number + TEXT);
    }

    private static int number(String text) {
        return Integer.parseInt(text.substring(0, text.indexOf(':')));
    }

    private static void until(Callable<Boolean> condition) {
        await().atMost(Duration.ofSeconds(30)).until(condition);
    }
}
