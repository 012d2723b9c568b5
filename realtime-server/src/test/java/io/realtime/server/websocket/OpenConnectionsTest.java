package io.realtime.server.websocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.times;
import static org.mockito.Mockito.verify;

import io.realtime.spi.ServerTransport;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(10)
class OpenConnectionsTest {
    private final OpenConnections open = new OpenConnections();
    private final WebSocketConnection.Socket socket = mock(WebSocketConnection.Socket.class);
    private final WebSocketConnection connection = connection(socket);

    private static WebSocketConnection connection(WebSocketConnection.Socket socket) {
        InetSocketAddress remote = new InetSocketAddress("192.0.2.1", 1);
        ServerTransport.Config config =
                new ServerTransport.Config(remote, 1_000, 1_000, Duration.ofSeconds(1), 1_000, 1, 1, 1, null);
        return new WebSocketConnection(
                socket,
                mock(OutboundQueue.class),
                remote,
                Objects.requireNonNull(new Admission(config).enter(remote)),
                config,
                mock(ServerTransport.Acceptor.class));
    }

    @Test
    void endReturnsWhenTheLastHasEnded() throws Exception {
        open.add(connection);
        Thread timer = new Thread(() -> open.remove(connection));
        doAnswer(call -> {
                    timer.start();
                    return null;
                })
                .when(socket)
                .cut();
        open.end(Duration.ofMinutes(1));
        assertEquals(0, open.count());
        timer.join();
    }

    @Test
    void interruptedEndCutsAndStillWaitsForTheLastCalls() throws Exception {
        open.add(connection);
        Thread timer = new Thread(() -> open.remove(connection));
        int[] cuts = new int[1];
        doAnswer(call -> {
                    // The first is the close of an upgrade that was not finished.
                    if (++cuts[0] == 2) {
                        timer.start();
                    }
                    return null;
                })
                .when(socket)
                .cut();
        Thread.currentThread().interrupt();
        assertThrows(InterruptedException.class, () -> open.end(Duration.ofMinutes(1)));
        verify(socket, times(2)).cut();
        timer.join();
        assertEquals(0, open.count());
    }

    @Test
    void connectionThatDoesNotEndIsNotWaitedForWithoutEnd() throws Exception {
        open.add(connection);
        open.end(Duration.ZERO);
        assertEquals(1, open.count());
        assertTrue(!Thread.interrupted());
    }
}
