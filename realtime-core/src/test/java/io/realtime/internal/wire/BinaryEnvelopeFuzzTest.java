package io.realtime.internal.wire;

import static io.realtime.internal.wire.EnvelopeFuzzTest.assertIsBrief;
import static io.realtime.internal.wire.EnvelopeFuzzTest.assertSame;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.gson.JsonParser;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Whatever bytes a peer sends: they are refused in a few words, or read, and then what was read can be sent again. */
class BinaryEnvelopeFuzzTest {
    @FuzzTest
    void anyBytesAreRefusedOrReadTheSameAgain(byte[] bytes) {
        ByteBuffer frame = ByteBuffer.wrap(bytes);
        Envelope envelope;
        try {
            envelope = BinaryEnvelope.parse(frame);
        } catch (MalformedException refused) {
            assertIsBrief(refused);
            return;
        }
        assertEquals(bytes.length, frame.remaining());
        assertFalse(envelope.hasData());
        assertFalse(envelope.isProtocol());
        ByteBuffer payload = envelope.payload();
        assertNotNull(payload);
        int header = ((bytes[1] & 0xFF) << 8) | (bytes[2] & 0xFF);
        assertEquals(ByteBuffer.wrap(bytes, 3 + header, bytes.length - 3 - header), payload);

        Outgoing again = Outgoing.of(envelope.type())
                .ref(envelope.ref())
                .room(envelope.room())
                .from(envelope.from())
                .seq(envelope.seq())
                .redelivered(envelope.isRedelivered())
                .ts(envelope.ts());
        again.rawData(payload);
        WireMessage sent = envelope.offset() == 0 ? again.frame() : again.frame(envelope.offset());
        assertSame(envelope, BinaryEnvelope.parse(sent.payload()));
        assertSame(envelope, BinaryEnvelope.parseFromServer(sent.payload()));

        String history = BinaryEnvelope.toHistory(sent);
        assertTrue(history.getBytes(StandardCharsets.UTF_8).length <= BinaryEnvelope.historyLength(sent));
        assertSame(envelope, BinaryEnvelope.fromHistory(JsonParser.parseString(history)));
    }
}
