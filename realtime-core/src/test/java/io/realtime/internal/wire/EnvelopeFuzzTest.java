package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.gson.JsonElement;
import com.google.gson.JsonParseException;
import com.google.gson.JsonParser;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.TypeRef;
import java.lang.reflect.Type;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/** Whatever text a peer sends: it is refused in a few words, or read, and then what was read can be sent again. */
class EnvelopeFuzzTest {
    static final int LONGEST_MESSAGE = 256;

    enum Colour {
        RED,
        GREEN
    }

    record Shapes(
            byte tiny,
            @Nullable List<Long> numbers,
            double real,
            char letter,
            @Nullable Colour colour,
            @Nullable Map<String, Integer> counts,
            @Nullable List<Shapes> more) {}

    /** Says in its own words, which quote the value, what it does not take. */
    record Place(String uri) {
        Place {
            URI.create(uri);
        }
    }

    /** What peers read of each other, and what an application may ask for. */
    private static final List<Type> TYPES = List.of(
            Protocol.Hello.class,
            Protocol.Welcome.class,
            Protocol.Join.class,
            Protocol.JoinReply.class,
            Protocol.HistoryRequest.class,
            Protocol.History.class,
            Protocol.Auth.class,
            Protocol.Ack.class,
            Protocol.InboxAck.class,
            Protocol.GapNotice.class,
            Protocol.Goodbye.class,
            ErrorData.class,
            Shapes.class,
            Place.class,
            UUID.class,
            int[].class,
            String.class,
            Boolean.class,
            Integer.class,
            Double.class,
            Colour.class,
            new TypeRef<Map<String, Map<Integer, Boolean>>>() {}.type(),
            Void.class);

    @FuzzTest
    void anyTextIsRefusedOrReadTheSameAgain(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8);
        parsedAsHistory(text);
        Envelope envelope;
        try {
            envelope = Envelope.parse(text);
        } catch (MalformedException refused) {
            assertIsBrief(refused);
            parsedAsAServersFrame(text);
            return;
        }
        for (Type type : TYPES) {
            read(envelope, type);
        }
        assertNotNull(envelope.error().exception().code());
        if (isCarriable(envelope)) {
            assertSame(envelope, Envelope.parseFromServer(text));
            assertSame(envelope, Envelope.parse(again(envelope)));
        }
    }

    /** What only a server may send is held to the same, except that a client does not send it on. */
    private static void parsedAsAServersFrame(String text) {
        try {
            isCarriable(Envelope.parseFromServer(text));
        } catch (MalformedException refused) {
            assertIsBrief(refused);
        }
    }

    /** What a server says that its log holds is refused in a few words, too. */
    private static void parsedAsHistory(String text) {
        try {
            BinaryEnvelope.fromHistory(JsonParser.parseString(text));
        } catch (MalformedException refused) {
            assertIsBrief(refused);
        } catch (JsonParseException noJson) {
            assertNotNull(noJson.getMessage());
        }
    }

    /** Returns whether the payload can be sent on: half a surrogate pair is seen only by who reads it. */
    private static boolean isCarriable(Envelope envelope) {
        try {
            envelope.<JsonElement>data(JsonElement.class);
            return true;
        } catch (PayloadException unfit) {
            assertIsBrief(unfit);
            assertTrue(String.valueOf(unfit.getMessage()).endsWith(": half a surrogate pair"), unfit.getMessage());
            return false;
        }
    }

    static String again(Envelope envelope) {
        Outgoing out = Outgoing.of(envelope.type())
                .ref(envelope.ref())
                .room(envelope.room())
                .from(envelope.from())
                .seq(envelope.seq())
                .redelivered(envelope.isRedelivered())
                .ts(envelope.ts());
        if (envelope.payload() == null) {
            out.data(envelope.<JsonElement>data(JsonElement.class), JsonElement.class);
        }
        if (envelope.offset() == 0) {
            return out.frame().asText();
        }
        return out.frame(envelope.offset()).asText();
    }

    static void assertSame(Envelope expected, Envelope actual) {
        assertEquals(expected.toString(), actual.toString());
        assertEquals(expected.from(), actual.from());
        assertEquals(expected.ts(), actual.ts());
        assertEquals(expected.isRedelivered(), actual.isRedelivered());
        assertEquals(expected.hasData(), actual.hasData());
        assertEquals(expected.payload(), actual.payload());
        if (expected.payload() == null) {
            assertEquals(
                    expected.<JsonElement>data(JsonElement.class).toString(),
                    actual.<JsonElement>data(JsonElement.class).toString());
        }
    }

    private static void read(Envelope envelope, Type type) {
        try {
            Object value = envelope.data(type);
            assertEquals(type == Void.class, value == null);
        } catch (PayloadException unfit) {
            assertIsBrief(unfit);
        }
    }

    /** The message goes to the peer and into logs. */
    static void assertIsBrief(RealtimeException refused) {
        String message = String.valueOf(refused.getMessage());
        assertTrue(message.length() <= LONGEST_MESSAGE, () -> message.length() + " characters");
        assertTrue(message.chars().noneMatch(Character::isISOControl), message);
    }
}
