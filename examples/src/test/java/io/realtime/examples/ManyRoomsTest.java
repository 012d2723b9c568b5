package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.client.ConnectionState;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A client that is in as many rooms as it may be, of names as long as they may be, comes back to all of them. */
@Timeout(120)
class ManyRoomsTest {
    private static final Event<String> NOTE = Event.of("note", String.class);
    private static final int PORT = 7000;

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final List<String> heard = new ArrayList<>();
    private final Set<CompletableFuture<?>> asked = new HashSet<>();
    private RealtimeServer server = server(limits -> limits);
    private final RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + PORT + "/ws"))
            .transport(network.clientTransport())
            .scheduler(time)
            .callbackExecutor(time)
            .random(new Random(2))
            .build();

    private RealtimeServer server(UnaryOperator<Limits.Builder> limits) {
        return RealtimeServer.builder()
                .port(PORT)
                .authenticator(c -> CompletableFuture.completedFuture(Authentication.of("ann")))
                .allowJoin((session, room) -> true)
                .limits(limits.apply(Limits.builder()).build())
                .random(new Random(1))
                .scheduler(time)
                .executor(time)
                .transport(network.serverTransport())
                .build()
                .start();
    }

    private void restart(UnaryOperator<Limits.Builder> limits) {
        server.close(Duration.ZERO);
        time.advance(Duration.ofMillis(1));
        server = server(limits);
    }

    @AfterEach
    void nothingIsLeft() {
        client.close();
        time.advance(Duration.ofSeconds(1));
        server.close(Duration.ZERO);
        time.advance(Duration.ofMinutes(10));
        assertEquals(0, network.connections());
        assertEquals(0, time.pending());
    }

    private void join(List<String> names) {
        client.on(NOTE, note -> heard.add(note.room()));
        asked.add(client.connect());
        for (String name : names) {
            asked.add(client.room(name).join(0, Duration.ofMinutes(10)));
        }
        time.advance(Duration.ofMinutes(2));
        assertTrue(asked.stream().allMatch(future -> future.isDone() && !future.isCompletedExceptionally()));
    }

    private void publish(List<String> names) {
        names.forEach(name -> server.connections().room(name).send(NOTE, "x"));
    }

    private static List<String> longest(int count) {
        return IntStream.range(1_000, 1_000 + count)
                .mapToObj(i -> "\"".repeat(252) + i)
                .toList();
    }

    @ParameterizedTest
    @CsvSource({"65536, 1048576", "1000, 20000", "1000, 2000000", "5000, 10000"})
    void sessionInItsMostRoomsOfTheLongestNamesResumes(int messageBytes, int outboundBytes) {
        restart(limits ->
                limits.messageBytes(messageBytes).outboundBytes(outboundBytes).rate(RateLimit.none()));
        List<String> names = longest(1_000);
        join(names);
        network.cutAll();
        time.advance(Duration.ofMillis(1));
        publish(names);
        time.advance(Duration.ofMinutes(1));
        assertEquals(ConnectionState.Status.OPEN, client.state().status());
        publish(names);
        time.advance(Duration.ofMinutes(1));
        assertEquals(1, server.stats().sessions());
        assertEquals(2 * names.size(), heard.size());
        assertEquals(Set.copyOf(names), Set.copyOf(heard.subList(0, names.size())));
        assertEquals(Set.copyOf(names), Set.copyOf(heard.subList(names.size(), heard.size())));
    }

    @Test
    void restartWith800RoomsTakes100MillisAtMost() {
        List<String> names =
                IntStream.range(0, 800).mapToObj(i -> "chat:8d1b-4f6e-" + i).toList();
        join(names);
        network.latency(Duration.ofMillis(10));
        restart(limits -> limits);
        long begin = -1;
        long end = -1;
        for (int ms = 0; end < 0 && ms < 60_000; ms++) {
            time.advance(Duration.ofMillis(1));
            if (begin < 0 && server.stats().sessions() == 1) {
                begin = ms;
            }
            if (names.stream()
                    .allMatch(name ->
                            server.connections().room(name).localMembers().size() == 1)) {
                end = ms;
            }
        }
        assertTrue(begin >= 0 && end >= 0, "never");
        assertTrue(end - begin <= 100, end - begin + " ms with round trips of 20 ms");
        publish(names);
        time.advance(Duration.ofSeconds(1));
        assertEquals(800, heard.size());
        assertEquals(Set.copyOf(names), Set.copyOf(heard));
    }
}
