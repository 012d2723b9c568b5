package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.client.ClientRoom;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * A client that shows what a room holds, beside a server that forgets quickly. Whatever the connection and the store do,
 * in the end it shows every message once and in order. Each seed is another history; a failure names its seed.
 */
class ReloadSimulationTest {
    record Note(int number, String filler) {}

    private static final Event<Note> NOTE = Event.of("note", Note.class);
    private static final int STEPS = 60;

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final List<Integer> store = new ArrayList<>();
    private final List<Integer> shown = new ArrayList<>();
    private final List<Gap> reloads = new ArrayList<>();
    private @Nullable Position stored;

    static IntStream seeds() {
        return IntStream.range(0, 200);
    }

    private RealtimeServer server(Random random, Retention retention) {
        return RealtimeServer.builder()
                .port(0)
                .authenticator(c -> CompletableFuture.completedFuture(Authentication.of("ann")))
                .allowJoin((session, room) -> true)
                .retention(retention)
                .sessionTtl(Duration.ofSeconds(10))
                .random(random)
                .scheduler(time)
                .executor(time)
                .transport(network.serverTransport())
                .build()
                .start();
    }

    private RealtimeClient client(RealtimeServer server, Random random) {
        return RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                .transport(network.clientTransport())
                .scheduler(time)
                .callbackExecutor(time)
                .random(random)
                .build();
    }

    private void publish(RealtimeServer server, String filler) {
        stored = server.connections()
                .room("r")
                .send(NOTE, new Note(store.size(), filler))
                .join();
        store.add(store.size());
    }

    /** Takes a while over it, fails now and then, and may be as old as the call. */
    private CompletionStage<@Nullable Position> load(Gap gap, Random random) {
        reloads.add(gap);
        CompletableFuture<@Nullable Position> stage = new CompletableFuture<>();
        List<Integer> early = random.nextBoolean() ? new ArrayList<>(store) : null;
        Position upTo = stored;
        time.schedule(Duration.ofMillis(random.nextInt(3_000)), () -> {
            if (random.nextInt(4) == 0) {
                stage.completeExceptionally(new IllegalStateException("the store is busy"));
                return;
            }
            shown.clear();
            shown.addAll(early != null ? early : store);
            stage.complete(early != null ? upTo : stored);
        });
        return stage;
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void missedMessagesAreLoadedAndShownOnceAndInOrder(int seed) {
        Random random = new Random(seed);
        RealtimeServer server = server(new Random(seed), new Retention(5, Duration.ofHours(1)));
        RealtimeClient client = client(server, new Random(seed * 31L));
        ClientRoom room = client.room("r");
        var messages = room.on(NOTE, note -> shown.add(note.data().number()));
        var hook = room.onReload(gap -> load(gap, random));
        CompletableFuture<?> joined = client.connect().thenCompose(open -> room.join());
        time.advance(Duration.ofSeconds(1));
        assertTrue(joined.isDone() && !joined.isCompletedExceptionally(), () -> "seed " + seed + " " + joined);

        String filler = "x".repeat(seed % 4 == 0 ? 60_000 : 0);
        for (int step = 0; step < STEPS; step++) {
            if (step == STEPS / 2) { // one gap there is in every history
                network.cutAll();
                IntStream.range(0, 8).forEach(i -> publish(server, filler));
            }
            for (int i = random.nextInt(step % 10 == 0 ? 40 : 3); i > 0; i--) {
                publish(server, filler);
            }
            switch (random.nextInt(12)) {
                case 0, 1 -> network.cutAll();
                case 2 -> network.latency(Duration.ofMillis(random.nextInt(200)));
                case 3 -> network.refuseConnections(random.nextInt(3) == 0);
                default -> {}
            }
            time.advance(Duration.ofMillis(random.nextInt(random.nextInt(8) == 0 ? 15_000 : 400)));
        }
        network.refuseConnections(false);
        time.advance(Duration.ofMinutes(5));

        assertFalse(reloads.isEmpty(), "seed " + seed);
        assertEquals(store, shown, () -> "seed " + seed + ", reloaded for " + reloads);
        messages.close();
        hook.close();
        end(client, server, "seed " + seed);
    }

    private void end(RealtimeClient client, RealtimeServer server, String what) {
        client.close();
        time.advance(Duration.ofSeconds(1));
        server.close(Duration.ZERO);
        time.advance(Duration.ofMinutes(1));
        assertEquals(0, network.connections(), what);
        assertEquals(0, time.pending(), what + ": timers left");
    }
}
