package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.ByteBuffer;
import java.time.Instant;
import org.junit.jupiter.api.Test;

class MessageTest {
    @Test
    void messageNamesItsRoom() {
        var message = new Message<>("x", "chat:42", new Position("e", 3), "alice", Instant.EPOCH, true);
        assertEquals("chat:42", message.room());
        assertEquals("chat:42", message.requireRoom());
        assertEquals(new Position("e", 3), message.position());
        assertEquals("alice", message.from());
        assertTrue(message.isRedelivered());
    }

    @Test
    void roomOfMessageWithoutOneIsNull() {
        var message = new Message<>("x", null, null, null, Instant.EPOCH, false);
        assertNull(message.room());
        assertFalse(message.isRedelivered());
    }

    @Test
    void requireRoomOfMessageWithoutOneIsBadData() {
        var message = new Message<>("x", null, null, null, Instant.EPOCH, false);
        var refused = assertThrows(RealtimeException.class, message::requireRoom);
        assertEquals("room is required", refused.getMessage());
        assertEquals(ErrorCode.BAD_DATA, refused.code());
    }

    @Test
    void positionIsNotNegative() {
        assertEquals(0, new Position("e", 0).offset());
        var refused = assertThrows(IllegalArgumentException.class, () -> new Position("e", -1));
        assertEquals("offset -1 is negative", refused.getMessage());
    }

    @Test
    void bufferIsReadOnlyAndEachHandlerReadsItFromItsBeginning() {
        var message = new Message<>(ByteBuffer.wrap(new byte[] {1, 2}), null, null, null, Instant.EPOCH, false);
        assertEquals(1, message.data().get());
        assertEquals(1, message.data().get());
        assertTrue(message.data().isReadOnly());
    }
}
