package io.realtime.client.internal.transport;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client does with a server that floods it or does not read. */
class JavaWebSocketStuckIT extends JavaWebSocketClientFixture {
    @Test
    void pongsToAServerThatReadsNothingAreBounded() throws Exception {
        int bound = 1 << 20;
        byte[] pings = new byte[16 << 20]; // their pongs are more than the system takes
        for (int i = 0; i + 127 <= pings.length; i += 127) {
            pings[i] = (byte) 0x89;
            pings[i + 1] = 125;
        }
        int whole = pings.length / 127 * 127;
        CountDownLatch mayEnd = new CountDownLatch(1);
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(() -> {
                try (Socket socket = plain.accept()) {
                    shakeHands(socket);
                    socket.getOutputStream().write(pings, 0, whole);
                    socket.getOutputStream().write(new byte[] {(byte) 0x81, 1, 'x'});
                    assertTrue(mayEnd.await(20, TimeUnit.SECONDS));
                } catch (IOException | InterruptedException failure) {
                    throw new AssertionError(failure);
                }
            });
            Client client = connect(target(plain.getLocalPort(), 1_000, bound));
            Connection connection = client.connection();
            assertEquals("x", client.next());
            assertTrue(connection.outboundBytes() <= bound, () -> connection.outboundBytes() + " wait");
            assertTrue(connection.outboundBytes() > 0, "the server took all");
            mayEnd.countDown();
            served.get(10, TimeUnit.SECONDS);
            connection.abort();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"end of input", "close", "ping while the client closes"})
    void connectionWhoseWriterIsStuckIsFreedAtItsEnd(String end) throws Exception {
        boolean isClosedHere = end.startsWith("ping");
        byte[] bytes = isClosedHere
                ? new byte[] {(byte) 0x89, 0}
                : end.equals("close") ? new byte[] {(byte) 0x88, 2, 3, (byte) 0xe9} : new byte[0];
        int stuck = 24 << 20; // more than the system takes for a peer that does not read
        CountDownLatch mayEnd = new CountDownLatch(1);
        CountDownLatch mayRead = new CountDownLatch(1);
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Void> served = CompletableFuture.runAsync(() -> {
                try (Socket socket = plain.accept()) {
                    shakeHands(socket);
                    assertTrue(mayEnd.await(20, TimeUnit.SECONDS));
                    socket.getOutputStream().write(bytes);
                    if (bytes.length == 0) {
                        socket.shutdownOutput();
                    }
                    assertTrue(mayRead.await(30, TimeUnit.SECONDS));
                    readToTheEnd(socket);
                } catch (IOException | InterruptedException failure) {
                    throw new AssertionError(failure);
                }
            });
            Client client = connect(target(plain.getLocalPort(), 1_000, 2 * stuck));
            Connection connection = client.connection();
            assertTrue(connection.send(MessageBatch.of(WireMessage.binary(new byte[stuck]))));
            if (isClosedHere) {
                connection.close(new CloseReason(CloseReason.NORMAL, "done"));
            }
            mayEnd.countDown();
            client.closed.get(10, TimeUnit.SECONDS);
            await().atMost(Duration.ofSeconds(20)).until(JavaWebSocketStuckIT::hasNoThreads);
            mayRead.countDown();
            served.get(10, TimeUnit.SECONDS);
        }
    }

    @Test
    void whatIsBeingWrittenWhenThePeerClosesStillArrives() throws Exception {
        int length = 24 << 20; // more than the system takes for a peer that does not read
        CountDownLatch maySend = new CountDownLatch(1);
        CountDownLatch mayRead = new CountDownLatch(1);
        try (ServerSocket plain = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            CompletableFuture<Long> served = CompletableFuture.supplyAsync(() -> {
                try (Socket socket = plain.accept()) {
                    shakeHands(socket);
                    assertTrue(maySend.await(20, TimeUnit.SECONDS));
                    socket.getOutputStream().write(new byte[] {(byte) 0x88, 2, 3, (byte) 0xe9});
                    assertTrue(mayRead.await(20, TimeUnit.SECONDS));
                    return readToTheEnd(socket);
                } catch (IOException | InterruptedException failure) {
                    throw new AssertionError(failure);
                }
            });
            Client client = connect(target(plain.getLocalPort(), 1_000, 2 * length));
            assertTrue(client.connection().send(MessageBatch.of(WireMessage.binary(new byte[length]))));
            maySend.countDown();
            assertEquals(
                    CloseReason.GOING_AWAY,
                    client.closed.get(10, TimeUnit.SECONDS).code());
            mayRead.countDown();
            assertTrue(served.get(20, TimeUnit.SECONDS) >= length, "the socket was cut");
        }
    }

    @Test
    void peerThatDoesNotReadFillsTheBoundAndNoMore() throws Exception {
        Server server = server("realtime.v1");
        CountDownLatch release = new CountDownLatch(1);
        server.onText = text -> {
            try {
                assertTrue(release.await(20, TimeUnit.SECONDS));
            } catch (InterruptedException stopped) {
                Thread.currentThread().interrupt();
            }
        };
        Client client = connect(target(server.getPort(), 1 << 20, 200_000));
        Connection connection = client.connection();
        String text = "x".repeat(50_000);
        await().pollInterval(Duration.ofMillis(1)).until(() -> !connection.send(text(text)));
        assertTrue(connection.outboundBytes() <= 200_100, () -> connection.outboundBytes() + " wait");
        release.countDown();
        await().until(() -> client.drained > 0);
        assertTrue(connection.send(text("again")));
    }

    @Test
    void abortEndsAConnectionWhoseWriterIsStuck() throws Exception {
        try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Client client = new Client();
            Scheduler.Cancellable attempt =
                    new JavaWebSocketClientTransport().connect(target(silent.getLocalPort(), 1_000, 1_000), client);
            try (Socket accepted = silent.accept()) {
                attempt.cancel();
                await().until(() -> {
                    try {
                        return accepted.getInputStream().read(new byte[4096]) < 0;
                    } catch (IOException reset) {
                        return true;
                    }
                });
            }
            assertFalse(client.failed.isDone());
        }
    }
}
