package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.spi.WireMessage;
import java.math.BigInteger;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OutgoingTest {
    private static final String[] LETTERS = {
        "a",
        "Z",
        "0",
        " ",
        "\"",
        "\\",
        "/",
        "<",
        "&",
        "'",
        "é",
        "€",
        "\uD83D\uDE00",
        "\n",
        "\t",
        "\u0000",
        "\u001f",
        "\u007f",
        "\u2028",
        "\u2029",
        "\uFEFF",
        "\uFFFD",
        "{",
        "]",
        ","
    };

    @Test
    void fieldsStandInTheOrderTheyWereSet() {
        WireMessage frame = Outgoing.of("chat.said")
                .ref("r1")
                .room("chat:42")
                .from("alice")
                .seq(7)
                .ts(1_000)
                .redelivered(true)
                .data("hi", String.class)
                .frame();
        assertTrue(frame.isText());
        assertEquals(
                "{\"type\":\"chat.said\",\"ref\":\"r1\",\"room\":\"chat:42\",\"from\":\"alice\",\"seq\":7,\"ts\":1000,"
                        + "\"redelivered\":true,\"data\":\"hi\"}",
                frame.asText());
    }

    @Test
    void whatIsNotSetIsLeftOut() {
        assertEquals(
                "{\"type\":\"$pong\"}",
                Outgoing.of("$pong")
                        .ref(null)
                        .room(null)
                        .from(null)
                        .seq(0)
                        .redelivered(false)
                        .frame()
                        .asText());
    }

    @Test
    void logAddsItsOffsetWithoutEncodingAgain() {
        Outgoing outgoing = Outgoing.of("t").room("é").data("x", String.class);
        int size = outgoing.length();
        String first = "{\"type\":\"t\",\"room\":\"é\",\"data\":\"x\",\"offset\":1}";
        assertEquals(first, outgoing.frame(1).asText());
        assertEquals(
                first.replace(":1}", ":9007199254740991}"),
                outgoing.frame(9007199254740991L).asText());
        assertEquals(size + 2, outgoing.frame(1).length());
        assertEquals(1, Envelope.parse(outgoing.frame(1).asText()).offset());
    }

    /** A room that is gone is looked up again, and published to again. */
    @Test
    void encodingTwiceGivesTheSameFrame() {
        Outgoing outgoing = Outgoing.of("t").data(1, Integer.class);
        WireMessage first = outgoing.frame();
        int size = outgoing.length();
        assertEquals(size, outgoing.length());
        assertEquals(
                "{\"type\":\"t\",\"data\":1,\"offset\":5}", outgoing.frame(5).asText());
        assertEquals(first.asText(), outgoing.frame().asText());
    }

    @Test
    void onlyEphemeralMessageMayBeDropped() {
        assertTrue(Outgoing.ephemeral("t").isEphemeral());
        assertFalse(Outgoing.of("t").isEphemeral());
    }

    @Test
    void payloadThatCannotBeWrittenIsRefused() {
        assertThrows(PayloadException.class, () -> Outgoing.of("t").data(null, String.class));
        assertThrows(PayloadException.class, () -> Outgoing.of("t").data(Double.NaN, Double.class));
    }

    @Test
    void payloadWithHalfASurrogatePairIsRefused() {
        Outgoing outgoing = Outgoing.of("t");
        assertThrows(PayloadException.class, () -> outgoing.data("a\uD83D", String.class));
        assertThrows(PayloadException.class, () -> outgoing.data(new JsonPrimitive("\uDE00é"), JsonElement.class));
        JsonObject named = new JsonObject();
        named.addProperty("\uD83D", 1);
        assertThrows(PayloadException.class, () -> outgoing.data(named, JsonElement.class));
        assertThrows(PayloadException.class, () -> Json.payload(String.class).write("\uD83D"));
        assertEquals("{\"type\":\"t\"}", outgoing.frame().asText());
    }

    /** An error has to be told. */
    @Test
    void errorWithHalfASurrogatePairInItsMessageIsWritten() {
        ErrorData error = ErrorData.of(ErrorCode.INTERNAL, "no \uD83D", false);
        assertEquals(
                "{\"type\":\"$error\",\"data\":{\"code\":\"internal\",\"message\":\"no ?\",\"retryable\":false}}",
                Outgoing.of("$error").data(error, ErrorData.class).frame().asText());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\"",
                "\\",
                "\"},{\"type\":\"$kick\"",
                "a\nb\r\t",
                "\u0000\u001f\u007f",
                "\u2028\u2029",
                "é€",
                "<>&'",
                "\uD83D\uDE00"
            })
    void refRoomAndUserAreEscaped(String text) {
        String json = Outgoing.of("t").ref(text).room(text).from(text).frame().asText();
        // Read by Gson: Envelope refuses names with control characters, and is tested for that elsewhere.
        JsonObject read = JsonParser.parseString(json).getAsJsonObject();
        assertEquals(text, read.get("ref").getAsString());
        assertEquals(text, read.get("room").getAsString());
        assertEquals(text, read.get("from").getAsString());
        assertFalse(json.contains("\u2028"), "a script that holds the frame as a literal would break");
    }

    @Test
    void whateverIsSentIsWhatArrives() {
        for (long seed = 1; seed <= 2_000; seed++) {
            var random = new Random(seed);
            String about = "seed " + seed;
            JsonElement data = json(random, 4);
            String ref = name(random, 20);
            String room = name(random, 40);
            String user = text(random, 0, 40);
            long seq = 1 + (long) (random.nextDouble() * 1e15);
            Outgoing outgoing = Outgoing.of("t" + seed)
                    .ref(ref)
                    .room(room)
                    .from(user)
                    .seq(seq)
                    .ts(seed)
                    .redelivered(seed % 2 == 0)
                    .data(data, JsonElement.class);

            Envelope envelope = Envelope.parse(outgoing.frame(seed).asText());
            assertEquals("t" + seed, envelope.type(), about);
            assertEquals(ref, envelope.ref(), about);
            assertEquals(room, envelope.room(), about);
            assertEquals(user, envelope.from(), about);
            assertEquals(seq, envelope.seq(), about);
            assertEquals(seed, envelope.ts(), about);
            assertEquals(seed, envelope.offset(), about);
            assertEquals(seed % 2 == 0, envelope.isRedelivered(), about);
            JsonElement arrived = envelope.data(JsonElement.class);
            assertEquals(data, arrived, about);
        }
    }

    /** Cuts, doubles and flips characters of good frames: parse answers or refuses, and nothing else. */
    @Test
    void damagedFrameIsRefusedOrReadNeverWorse() {
        int refused = 0;
        for (long seed = 1; seed <= 5_000; seed++) {
            var random = new Random(seed);
            var frame = new StringBuilder(Outgoing.of("t")
                    .ref(text(random, 1, 5))
                    .seq(seed)
                    .data(json(random, 3), JsonElement.class)
                    .frame()
                    .asText());
            for (int i = 1 + random.nextInt(3); i > 0; i--) {
                int at = random.nextInt(frame.length());
                switch (random.nextInt(3)) {
                    case 0 -> frame.deleteCharAt(at);
                    case 1 -> frame.insert(at, frame.charAt(random.nextInt(frame.length())));
                    default -> frame.setCharAt(at, (char) random.nextInt(128));
                }
            }
            try {
                Envelope envelope = Envelope.parse(frame.toString());
                JsonElement ignored = envelope.data(JsonElement.class);
                assertFalse(ignored.toString().isEmpty());
            } catch (MalformedException | PayloadException expected) {
                refused++;
            } catch (RuntimeException other) {
                throw new AssertionError("seed " + seed + ": " + frame, other);
            }
        }
        assertTrue(refused > 1_000, "only " + refused + " frames were damaged enough");
    }

    private static JsonElement json(Random random, int depth) {
        return switch (random.nextInt(depth == 0 ? 5 : 7)) {
            case 0 -> JsonNull.INSTANCE;
            case 1 -> new JsonPrimitive(random.nextBoolean());
            case 2 -> new JsonPrimitive(new BigInteger(random.nextInt(200), random));
            case 3 -> new JsonPrimitive(random.nextGaussian());
            case 4 -> new JsonPrimitive(text(random, 0, 12));
            case 5 -> array(random, depth - 1);
            default -> object(random, depth - 1);
        };
    }

    private static JsonArray array(Random random, int depth) {
        var array = new JsonArray();
        for (int i = random.nextInt(4); i > 0; i--) {
            array.add(json(random, depth));
        }
        return array;
    }

    private static JsonObject object(Random random, int depth) {
        var object = new JsonObject();
        for (int i = random.nextInt(4); i > 0; i--) {
            object.add(text(random, 0, 6), json(random, depth));
        }
        return object;
    }

    /** A text that may stand in a ref or a room. */
    private static String name(Random random, int most) {
        String name = text(random, 1, most);
        return Names.isLine(name, Integer.MAX_VALUE) ? name : name(random, most);
    }

    private static String text(Random random, int least, int most) {
        var text = new StringBuilder();
        for (int i = least + random.nextInt(most - least + 1); i > 0; i--) {
            text.append(LETTERS[random.nextInt(LETTERS.length)]);
        }
        return text.toString();
    }
}
