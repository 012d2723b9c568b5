package io.realtime.examples.chat;

import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import io.realtime.RealtimeException;
import io.realtime.examples.chat.Outbox.Outgoing;
import io.realtime.server.ConnectionManager;
import io.realtime.server.Room;
import java.sql.SQLException;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ServerPublisherTest {
    @Test
    void failureOfTheFutureIsThrownAsItIs() {
        RealtimeException failure = ChatError.unavailable(new SQLException("away"));
        Room room = mock(Room.class);
        when(room.send(any(), any())).thenReturn(CompletableFuture.failedFuture(failure));
        ConnectionManager connections = mock(ConnectionManager.class);
        when(connections.room("chat:lobby")).thenReturn(room);
        Outgoing message = new Outgoing(1, "chat:lobby", null, "said", "{}");

        RealtimeException thrown =
                assertThrows(RealtimeException.class, () -> new ServerPublisher(connections).publish(message));

        assertSame(failure, thrown, "so that the relay knows that it is retryable");
    }
}
