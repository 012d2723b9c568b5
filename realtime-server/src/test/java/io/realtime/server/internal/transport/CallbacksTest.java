package io.realtime.server.internal.transport;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.when;

import io.realtime.CloseReason;
import io.realtime.server.websocket.Admission;
import io.realtime.server.websocket.OutboundQueue;
import io.realtime.server.websocket.WebSocketConnection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.ServerTransport;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Whose turn it is to call a connection's listener. */
@Timeout(10)
class CallbacksTest {
    private static final String REQUEST = String.join(
            "\r\n",
            "GET / HTTP/1.1",
            "Host: x",
            "Upgrade: websocket",
            "Connection: Upgrade",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version: 13",
            "",
            "");

    private final List<String> called = new ArrayList<>();
    private final ConnectionListener listener = mock(ConnectionListener.class);
    private final WebSocketConnection.Socket socket = mock(WebSocketConnection.Socket.class);
    private final WebSocketConnection connection = connection();
    private final LibraryCallbacks callbacks = new LibraryCallbacks(connection);

    private WebSocketConnection connection() {
        InetSocketAddress remote = new InetSocketAddress("192.0.2.1", 1);
        ServerTransport.Config config =
                new ServerTransport.Config(remote, 1_000, 1_000, Duration.ofSeconds(1), 1_000, 1, 1, 1, null);
        ServerTransport.Acceptor acceptor = mock(ServerTransport.Acceptor.class);
        when(acceptor.upgrade(any())).thenReturn(ServerTransport.Upgrade.accept(null));
        when(acceptor.open(any(), any())).thenReturn(listener);
        when(socket.schedule(any(), any())).thenReturn(() -> {});
        Admission.Place place = Objects.requireNonNull(new Admission(config).enter(remote));
        return new WebSocketConnection(socket, mock(OutboundQueue.class), remote, place, config, acceptor);
    }

    private void open() {
        connection.upgrade(ByteBuffer.wrap(REQUEST.getBytes(StandardCharsets.US_ASCII)));
        callbacks.begin();
    }

    @Test
    void turnIsGivenBackAfterACallThatThrows() {
        open();
        callbacks.call(() -> {
            throw new NoClassDefFoundError("as requested");
        });
        callbacks.call(() -> called.add("next"));
        assertEquals(List.of("next"), called);
    }

    @Test
    void turnIsGivenBackWhenTheFailureCannotBeHandled() {
        open();
        doThrow(new NoClassDefFoundError("as requested")).when(listener).onDrained();
        doThrow(new NoClassDefFoundError("as requested")).when(socket).schedule(any(), any());
        callbacks.drained();
        callbacks.call(() -> called.add("next"));
        assertEquals(List.of("next"), called);
    }

    @Test
    void lastCallIsMadeAfterOneThatFailed() {
        doThrow(new NoClassDefFoundError("as requested")).when(listener).onDrained();
        open();
        callbacks.drained();
        callbacks.closed();
        verify(listener)
                .onClosed(new CloseReason(CloseReason.INTERNAL_ERROR, "the server failed to handle a message"), false);
    }

    @Test
    void endBeforeTheUpgradeIsFinishedIsToldAfterIt() {
        callbacks.closed();
        open();
        verify(listener).onClosed(new CloseReason(CloseReason.ABNORMAL, ""), false);
        callbacks.call(() -> called.add("too late"));
        assertEquals(List.of(), called);
    }
}
