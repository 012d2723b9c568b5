package io.realtime.examples;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import io.realtime.Backoff;
import io.realtime.Event;
import io.realtime.HistoryQuery;
import io.realtime.client.FileOutbox;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.testing.FaultProxy;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** Events of bytes between server and Java client over real sockets, on every transport. */
@Timeout(60)
@ParameterizedClass
@ValueSource(strings = {"java-websocket", "netty"})
class BinaryIT {
    private static final Event<ByteBuffer> PUT = Event.of("put", ByteBuffer.class);
    private static final Event<byte[]> BLOB = Event.of("blob", byte[].class);
    private static final Event<byte[]> FLASH = Event.ephemeral("flash", byte[].class);
    private static final int MOST = 60_000; // of the 64 KiB that a message may have
    private static final long SEED = 1;

    private final RealtimeServer server;
    private final FaultProxy proxy;

    @TempDir
    Path directory;

    BinaryIT(String transport) throws IOException {
        server = RealtimeServer.builder()
                .transport(transport)
                .port(0)
                .authenticator(c -> CompletableFuture.completedFuture(Authentication.of(String.valueOf(c.token()))))
                .allowJoin((session, room) -> true)
                .on(PUT, (session, message) -> {
                    byte[] bytes = new byte[message.data().remaining()];
                    message.data().get(bytes);
                    session.room(message.requireRoom()).send(BLOB, bytes);
                })
                .limits(Limits.builder()
                        .rate(RateLimit.none())
                        .resumptionsPerSession(RateLimit.none())
                        .build())
                .retention(new Retention(1_000, Duration.ofHours(1), 64 << 20))
                .build()
                .start();
        proxy = FaultProxy.to(server.port());
    }

    @AfterEach
    void stop() {
        proxy.close();
        server.close();
    }

    private RealtimeClient.Builder client(String user) {
        return client(user, proxy.port());
    }

    private static RealtimeClient.Builder client(String user, int port) {
        return RealtimeClient.builder(URI.create("ws://localhost:" + port + "/ws"))
                .token(user)
                .backoff(Backoff.builder()
                        .floor(Duration.ofMillis(1))
                        .initial(Duration.ofMillis(10))
                        .cap(Duration.ofMillis(50))
                        .build());
    }

    private static List<byte[]> payloads(int count) {
        Random random = new Random(SEED);
        List<byte[]> payloads = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            byte[] payload = new byte[i == 0 ? 0 : i == 1 ? MOST : random.nextInt(10_000)];
            random.nextBytes(payload);
            payloads.add(payload);
        }
        return payloads;
    }

    private static void assertArrive(List<byte[]> sent, BlockingQueue<byte[]> arrived) throws InterruptedException {
        for (int i = 0; i < sent.size(); i++) {
            byte[] next = arrived.poll(20, TimeUnit.SECONDS);
            assertNotNull(next, "number " + i + " did not arrive");
            assertArrayEquals(sent.get(i), next, "number " + i);
        }
    }

    @Test
    void bytesArriveOnceAndInOrderThoughConnectionsAreLost() throws Exception {
        List<byte[]> sent = payloads(300);
        BlockingQueue<byte[]> ann = new LinkedBlockingQueue<>();
        BlockingQueue<byte[]> bob = new LinkedBlockingQueue<>();
        try (RealtimeClient sender = client("ann").build();
                RealtimeClient reader = client("bob").build()) {
            sender.on(BLOB, blob -> ann.add(blob.data()));
            reader.on(BLOB, blob -> bob.add(blob.data()));
            CompletableFuture.allOf(sender.connect(), reader.connect()).get(20, TimeUnit.SECONDS);
            CompletableFuture.allOf(sender.room("r").join(), reader.room("r").join())
                    .get(20, TimeUnit.SECONDS);
            List<CompletableFuture<Void>> fates = new ArrayList<>();
            for (int i = 0; i < sent.size(); i++) {
                fates.add(sender.room("r").send(PUT, ByteBuffer.wrap(sent.get(i))));
                if (i % 100 == 50) { // some are on their way, in either direction
                    int some = i - 40;
                    await().until(() -> bob.size() >= some);
                    proxy.resetAfter(20_000);
                }
                if (i % 100 == 99) {
                    proxy.cutAll();
                }
            }
            CompletableFuture.allOf(fates.toArray(new CompletableFuture<?>[0])).get(30, TimeUnit.SECONDS);
            assertArrive(sent, ann);
            assertArrive(sent, bob);
            assertEquals(0, ann.size() + bob.size());
        }
        assertHistoryEndsWith(sent.subList(sent.size() - 20, sent.size()));
    }

    private void assertHistoryEndsWith(List<byte[]> newest) throws Exception {
        BlockingQueue<byte[]> read = new LinkedBlockingQueue<>();
        try (RealtimeClient direct = client("eve", server.port()).build()) {
            direct.connect().get(20, TimeUnit.SECONDS);
            HistoryQuery query = HistoryQuery.newest(newest.size());
            direct.room("r")
                    .history(query)
                    .get(20, TimeUnit.SECONDS)
                    .messages(BLOB)
                    .forEach(blob -> read.add(blob.data()));
        }
        assertArrive(newest, read);
    }

    @Test
    void bytesForUserSessionAndEveryoneArriveAfterLostConnection() throws Exception {
        BlockingQueue<String> heard = new LinkedBlockingQueue<>();
        try (RealtimeClient client = client("ann").build()) {
            client.on(BLOB, blob -> heard.add(blob.room() + " " + Arrays.toString(blob.data())));
            client.on(FLASH, flash -> heard.add("ephemeral " + Arrays.toString(flash.data())));
            client.connect().get(20, TimeUnit.SECONDS);
            proxy.refuse(true);
            proxy.cutAll();
            await().until(() -> !server.connections().user("ann").isOnline());
            server.connections().user("ann").send(BLOB, new byte[] {1});
            server.connections().everyone().send(BLOB, new byte[] {2});
            server.connections().user("ann").sessions().get(0).send(BLOB, new byte[] {3});
            server.connections().everyone().send(FLASH, new byte[] {4}); // nobody is there
            proxy.refuse(false);
            List<String> missed = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                missed.add(heard.poll(20, TimeUnit.SECONDS));
            }
            missed.sort(null);
            assertEquals(List.of("@all [2]", "@session [3]", "@user [1]"), missed);
            server.connections().everyone().send(FLASH, new byte[] {5});
            assertEquals("ephemeral [5]", heard.poll(20, TimeUnit.SECONDS));
        }
    }

    @Test
    void bytesInAFileAreSentByTheNextProcess() throws Exception {
        List<byte[]> sent = payloads(20);
        BlockingQueue<byte[]> arrived = new LinkedBlockingQueue<>();
        Path file = directory.resolve("outbox");
        FileOutbox first = FileOutbox.open(file);
        try (RealtimeClient offline = client("ann").outboxFile(first).build()) {
            for (byte[] payload : sent) {
                CompletableFuture<Void> unused = offline.room("r").send(PUT, ByteBuffer.wrap(payload));
            }
            first.sync().get(20, TimeUnit.SECONDS);
        }
        first.sync().get(20, TimeUnit.SECONDS); // the file is closed
        try (RealtimeClient client =
                client("ann").outboxFile(FileOutbox.open(file)).build()) {
            client.on(BLOB, blob -> arrived.add(blob.data()));
            CompletableFuture<?> joined = client.room("r").join();
            client.connect().get(20, TimeUnit.SECONDS);
            joined.get(20, TimeUnit.SECONDS);
            assertArrive(sent, arrived);
        }
    }
}
