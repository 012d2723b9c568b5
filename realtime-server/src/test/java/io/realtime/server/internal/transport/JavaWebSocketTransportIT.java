package io.realtime.server.internal.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.spi.ServerTransport;
import io.realtime.testing.RawWebSocket;
import io.realtime.testing.WebSocketServerTransportContract;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

@Isolated("watches all threads")
class JavaWebSocketTransportIT extends WebSocketServerTransportContract {
    @Override
    protected ServerTransport newTransport() {
        return new JavaWebSocketTransport();
    }

    @Test
    void stopOnAnInterruptedThreadLeavesNoThread() throws Exception {
        Set<Thread> before = Thread.getAllStackTraces().keySet();
        ServerTransport idle = newTransport();
        EchoAcceptor acceptor = new EchoAcceptor();
        idle.start(config(0), acceptor);
        RawWebSocket peer = RawWebSocket.open(idle.port());
        acceptor.next(); // of which the timer took care
        peer.close();
        assertNotNull(acceptor.closed.poll(10, TimeUnit.SECONDS));
        List<Thread> threads = Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> !before.contains(thread)
                        && (thread.getName().startsWith("realtime-transport")
                                || thread.getName().startsWith("WebSocket")))
                .collect(Collectors.toList());
        assertEquals(
                1,
                threads.stream()
                        .filter(thread -> thread.getName().startsWith("realtime-"))
                        .count());
        Thread.currentThread().interrupt();
        assertThrows(InterruptedException.class, () -> idle.stop(Duration.ofSeconds(10)));
        for (Thread thread : threads) {
            thread.join(10_000);
            assertFalse(thread.isAlive(), thread::getName);
        }
    }
}
