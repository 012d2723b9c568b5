package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.client.ClientListener;
import io.realtime.client.Gap;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Server and Java clients in virtual time, with connections that are cut at random. Each seed is another history; a
 * failure names its seed and replays from it.
 */
class SimulationTest {
    record Note(String by, int number) {}

    private static final Event<Note> SAY = Event.of("say", Note.class);
    private static final Event<Note> SAID = Event.of("said", Note.class);
    private static final int CLIENTS = 3;
    private static final int MESSAGES = 60;

    static IntStream seeds() {
        return IntStream.range(0, 200);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void nothingIsLostNothingComesTwiceEverythingIsInOrder(int seed) {
        Random random = new Random(seed);
        ManualScheduler time = new ManualScheduler();
        InMemoryNetwork network = new InMemoryNetwork(time);
        List<String> handled = new ArrayList<>();
        RealtimeServer server = RealtimeServer.builder()
                .port(0)
                .authenticator(c -> CompletableFuture.completedFuture(Authentication.of(String.valueOf(c.token()))))
                .allowJoin((session, room) -> true)
                .on(SAY, (session, message) -> {
                    handled.add(message.data().by() + " " + message.data().number());
                    session.room(message.room()).send(SAID, message.data());
                })
                .retention(new Retention(100_000, Duration.ofHours(1)))
                .limits(Limits.builder().inflight(1 + random.nextInt(20)).build())
                .random(new Random(seed))
                .scheduler(time)
                // Handlers that dawdle: what was received is often not yet processed when its connection is cut.
                .executor(task ->
                        time.schedule(Duration.ofMillis(random.nextInt(4) == 0 ? random.nextInt(1500) : 0), task))
                .transport(network.serverTransport())
                .build()
                .start();
        List<RealtimeClient> clients = new ArrayList<>();
        Map<Integer, List<String>> received = new HashMap<>();
        List<String> trouble = new ArrayList<>();
        List<CompletableFuture<Void>> fates = new ArrayList<>();
        for (int c = 0; c < CLIENTS; c++) {
            List<String> mine = received.computeIfAbsent(c, k -> new ArrayList<>());
            RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                    .token("user" + c)
                    .transport(network.clientTransport())
                    .scheduler(time)
                    .callbackExecutor(time)
                    .random(new Random(seed * 31L + c))
                    .listener(new ClientListener() {
                        @Override
                        public void onGap(Gap gap) {
                            trouble.add(gap.toString());
                        }
                    })
                    .build();
            client.on(
                    SAID, said -> mine.add(said.data().by() + " " + said.data().number()));
            clients.add(client);
            fates.add(client.connect());
            fates.add(client.room("r").join().thenApply(joined -> null));
        }
        time.advance(Duration.ofSeconds(20)); // all have joined before the first message
        for (int step = 0; step < MESSAGES; step++) {
            for (int c = 0; c < CLIENTS; c++) {
                fates.add(clients.get(c).room("r").send(SAY, new Note("user" + c, step)));
            }
            switch (random.nextInt(12)) {
                case 0 -> network.cutAll();
                case 1 -> network.latency(Duration.ofMillis(random.nextInt(200)));
                case 2 -> network.refuseConnections(random.nextInt(3) == 0);
                case 3 -> clients.get(random.nextInt(CLIENTS)).networkChanged();
                default -> {}
            }
            time.advance(Duration.ofMillis(random.nextInt(400)));
        }
        network.refuseConnections(false);
        time.advance(Duration.ofMinutes(3));

        String replay = "seed " + seed;
        assertEquals(List.of(), trouble, replay);
        fates.forEach(fate -> assertTrue(fate.isDone() && !fate.isCompletedExceptionally(), () -> replay + " " + fate));
        for (int c = 0; c < CLIENTS; c++) {
            String user = "user" + c;
            List<String> inOrder =
                    IntStream.range(0, MESSAGES).mapToObj(n -> user + " " + n).toList();
            assertEquals(
                    inOrder, handled.stream().filter(h -> h.startsWith(user)).toList(), replay);
            assertEquals(handled, received.get(c), replay + ", as seen by " + user);
        }
        clients.forEach(RealtimeClient::close);
        time.advance(Duration.ofSeconds(1));
        server.close(Duration.ZERO);
        time.advance(Duration.ofMinutes(1));
        assertEquals(0, network.connections(), replay);
        assertEquals(0, time.pending(), replay + ": timers left");
    }
}
