package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.RealtimeServer;
import io.realtime.server.ServerHealth;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Scheduler;
import io.realtime.testing.TestEnvironment;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/**
 * Two servers behind a load balancer are replaced one after the other, while 1,000 clients talk. Every message is
 * handled once and in its client's order, and the servers get the clients at an even rate.
 */
@Timeout(60)
class RollingRestartTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final int CLIENTS = 1_000;
    private static final int MESSAGES = 30;
    private static final Duration WINDOW = Duration.ofSeconds(50);

    private final TestEnvironment env = new TestEnvironment();
    private final List<RealtimeServer> servers = new ArrayList<>();
    // What was handled, by user.
    private final Map<String, List<String>> handled = new HashMap<>();
    // How many connections were asked for in each second.
    private final TreeMap<Long, Integer> attempts = new TreeMap<>();
    // How many messages each client has sent.
    private final Map<RealtimeClient, Integer> sent = new HashMap<>();
    private int turn;

    @AfterEach
    void close() {
        env.close();
    }

    private RealtimeServer serve() {
        RealtimeServer server = env.autoClose(RealtimeServer.builder()
                .port(0)
                .scheduler(env.time())
                .executor(env.time())
                .transport(env.network().serverTransport())
                .authenticator(credentials ->
                        CompletableFuture.completedFuture(Authentication.of(String.valueOf(credentials.token()))))
                .on(
                        SAY,
                        (session, message) -> handled.computeIfAbsent(
                                        session.user().id(), user -> new ArrayList<>())
                                .add(message.data()))
                .build());
        servers.add(server);
        return server.start();
    }

    /** Opens each connection at the next server that is not DOWN, as a load balancer with a health check does. */
    private ClientTransport balancer() {
        ClientTransport network = env.network().clientTransport();
        return (target, callback) -> {
            attempts.merge(env.time().nanoTime() / 1_000_000_000, 1, Integer::sum);
            List<RealtimeServer> up = servers.stream()
                    .filter(server -> server.health().status() != ServerHealth.Status.DOWN)
                    .toList();
            URI uri = env.uri(up.get(turn++ % up.size()).port());
            Scheduler.Cancellable attempt = network.connect(
                    new ClientTransport.Target(
                            uri, target.headers(), target.subprotocol(), target.messageBytes(), target.outboundBytes()),
                    callback);
            return attempt;
        };
    }

    private void replace(RealtimeServer old) {
        int moved = old.stats().connections();
        attempts.clear();
        CompletableFuture<Void> done = old.drain(WINDOW);
        env.time().advance(WINDOW.plusSeconds(2));
        assertTrue(done.isDone());
        assertEquals(
                moved, attempts.values().stream().mapToInt(Integer::intValue).sum(), "each came back at once");
        int most = attempts.values().stream().mapToInt(Integer::intValue).max().orElse(0);
        double average = (double) moved / WINDOW.toSeconds();
        assertTrue(most < 2 * average, most + " in one second, " + average + " on average");
        old.close();
    }

    @Test
    void messagesOfAThousandClientsAreHandledOnceAndInOrder() {
        RealtimeServer first = serve();
        RealtimeServer second = serve();
        ClientTransport balancer = balancer();
        Random random = new Random(7);
        List<String> expected = new ArrayList<>();
        for (int i = 0; i < MESSAGES; i++) {
            expected.add("message " + i);
        }
        List<RealtimeClient> clients = new ArrayList<>();
        for (int i = 0; i < CLIENTS; i++) {
            String user = "user" + i;
            RealtimeClient client = env.autoClose(RealtimeClient.builder(env.uri(first.port()))
                    .token(() -> CompletableFuture.completedFuture(user))
                    .transport(balancer)
                    .scheduler(env.time())
                    .callbackExecutor(env.time())
                    .random(new Random(i))
                    .build());
            clients.add(client);
            CompletableFuture<Void> unused = client.connect();
        }
        env.settle();
        for (RealtimeClient client : clients) {
            for (int i = 0; i < MESSAGES; i++) {
                env.time().schedule(Duration.ofMillis(random.nextInt(120_000)), () -> {
                    CompletableFuture<Void> unused = client.send(SAY, next(client));
                });
            }
        }
        replace(first);
        serve();
        replace(second);
        env.time().advance(Duration.ofSeconds(30));
        assertEquals(CLIENTS, handled.size());
        handled.forEach((user, messages) -> assertEquals(expected, messages, user));
    }

    private String next(RealtimeClient client) {
        return "message " + (sent.merge(client, 1, Integer::sum) - 1);
    }
}
