package io.realtime.server.javawebsocket;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.verify;

import io.realtime.CloseReason;
import io.realtime.server.websocket.Ending;
import io.realtime.spi.ConnectionListener;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Whose turn it is to call a connection's listener. */
@Timeout(10)
class CallbacksTest {
    private final List<String> called = new ArrayList<>();
    private final ConnectionListener listener = mock(ConnectionListener.class);
    private final LibraryCallbacks callbacks = new LibraryCallbacks(() -> {
        called.add("failed");
        throw new NoClassDefFoundError("as requested");
    });

    private void failingCall() {
        callbacks.call(() -> {
            throw new NoClassDefFoundError("as requested");
        });
    }

    @Test
    void turnIsGivenBackWhenTheFailureCannotBeHandled() {
        callbacks.begin(listener);
        failingCall();
        callbacks.call(() -> called.add("next"));
        assertEquals(List.of("failed", "next"), called);
    }

    @Test
    void lastCallIsMadeAfterOneThatFailed() {
        doThrow(new NoClassDefFoundError("as requested")).when(listener).onDrained();
        callbacks.begin(listener);
        callbacks.drained();
        CloseReason gone = new CloseReason(CloseReason.ABNORMAL, "gone");
        callbacks.closed(Ending.local(gone));
        verify(listener).onClosed(gone, false);
        assertEquals(List.of("failed"), called);
    }
}
