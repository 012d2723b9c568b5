package io.realtime.internal.wire;

import static io.realtime.internal.wire.EnvelopeFuzzTest.assertIsBrief;
import static io.realtime.internal.wire.EnvelopeFuzzTest.assertSame;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.ByteBuffer;

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
        Envelope reread =
                BinaryEnvelope.parse(BinaryEnvelope.encode(again, payload).payload());
        assertEquals(payload, reread.payload());
        if (envelope.offset() == 0) {
            assertSame(envelope, reread);
        }
    }
}
