package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.google.gson.JsonElement;
import io.realtime.ErrorCode;
import io.realtime.Position;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class EnvelopeTest {
    private static final String NOT_JSON = "a frame must hold JSON (RFC 8259), nested at most 32 deep";
    private static final String NOT_AN_OBJECT = "a frame must hold one JSON object";
    private static final String NOT_ONE = "a frame must hold one JSON object and nothing after it";
    private static final String NO_TYPE = "field 'type' is missing";
    private static final String BAD_REF = "field 'ref' is not 1 to 64 characters without control characters";
    private static final String BAD_ROOM = "field 'room' is not 1 to 256 bytes without control characters";
    private static final String BAD_SEQ = "field 'seq' is not an integer from 1 to 2^53-1";

    private static String badType(String type) {
        return "type '" + type + "' is not 1 to 128 of A-Z a-z 0-9 _ . : / - after an optional $";
    }

    private static String nested(int depth) {
        return "{\"type\":\"t\",\"data\":" + "[".repeat(depth - 1) + "]".repeat(depth - 1) + "}";
    }

    /** A frame, in which each single quote stands for a double quote, and why it is refused. */
    private static Arguments row(String frame, String why) {
        return arguments(frame.replace('\'', '"'), why);
    }

    static Stream<Arguments> hostile() {
        return Stream.of(
                arguments("", NOT_JSON),
                arguments(" \n", NOT_JSON),
                arguments("hello", NOT_JSON),
                arguments("{", NOT_JSON),
                arguments("}", NOT_JSON),
                row("{'type':'t'", NOT_JSON),
                row("{'type':'t", NOT_JSON),
                row("{'type':'t',}", NOT_JSON),
                row("{'type'}", NOT_JSON),
                row("{'type' 't'}", NOT_JSON),
                row("{'type':'t';'data':1}", NOT_JSON),
                row("{'type'='t'}", NOT_JSON),
                arguments("\u0000", NOT_JSON),
                row("{'type':'t'}\u0000", NOT_ONE),
                row("\uFEFF{'type':'t'}", NOT_JSON),
                arguments(")]}'\n{\"type\":\"t\"}", NOT_JSON),
                // not an object, or not one
                arguments("[]", NOT_AN_OBJECT),
                row("[{'type':'t'}]", NOT_AN_OBJECT),
                arguments("null", NOT_AN_OBJECT),
                row("'type'", NOT_AN_OBJECT),
                arguments("42", NOT_AN_OBJECT),
                row("{'type':'t'}{'type':'t'}", NOT_ONE),
                row("{'type':'t'} {}", NOT_ONE),
                row("{'type':'t'}x", NOT_ONE),
                row("{'type':'t'},", NOT_ONE),
                row("{'type':'t'}]", NOT_ONE),
                // JSON's friends
                row("{type:'t'}", NOT_JSON),
                arguments("{'type':'t'}", NOT_JSON),
                row("{'type':t}", NOT_JSON),
                row("{'type':'t'/* c */}", NOT_JSON),
                row("// c\n{'type':'t'}", NOT_JSON),
                row("# c\n{'type':'t'}", NOT_JSON),
                row("{'type':'t','data':NaN}", NOT_JSON),
                row("{'type':'t','data':-Infinity}", NOT_JSON),
                row("{'type':'t','data':True}", NOT_JSON),
                row("{'type':'t','data':undefined}", NOT_JSON),
                row("{'type':'t','data':0x10}", NOT_JSON),
                row("{'type':'t','data':01}", NOT_JSON),
                row("{'type':'t','data':+1}", NOT_JSON),
                row("{'type':'t','data':.5}", NOT_JSON),
                row("{'type':'t','data':1.}", NOT_JSON),
                row("{'type':'t','data':1e}", NOT_JSON),
                row("{'type':'t','data':[1,]}", NOT_JSON),
                row("{'type':'t','data':[,1]}", NOT_JSON),
                row("{'type':'t','data':[1;2]}", NOT_JSON),
                row("{'type':'t','data':}", NOT_JSON),
                row("{'type':'t','data':'\\x41'}", NOT_JSON),
                row("{'type':'t','data':'\\u12'}", NOT_JSON),
                row("{'type':'t','data':'\\u00zz'}", NOT_JSON),
                row("{'type':'t','data':'a\nb'}", NOT_JSON),
                row("{'type':'t','data':'a\tb'}", NOT_JSON),
                arguments("{\"type\":\"t\",\"data\":[\"\\\\\",\"a\u0000b\"]}", NOT_JSON),
                arguments("{\"type\":\"t\",\"x\":\"\\\"\u001f\"}", NOT_JSON),
                row("{'type':'t','a\u0000b':1}", NOT_JSON),
                row("{'type':'t\u0000'}", NOT_JSON),
                // nesting, also where nobody looks
                arguments(nested(33), NOT_JSON),
                arguments(nested(100_000), NOT_JSON),
                arguments("[".repeat(100_000), NOT_JSON),
                row("{'type':'t','x':" + "{'a':".repeat(40) + "1" + "}".repeat(41), NOT_JSON),
                // twice
                row("{'type':'t','type':'t'}", "field 'type' is repeated"),
                row("{'type':'t','data':1,'data':2}", "field 'data' is repeated"),
                row("{'type':'t','data':1,'d\\u0061ta':2}", "field 'data' is repeated"),
                row("{'type':'t','x':1,'x':2}", "field 'x' is repeated"),
                // type
                arguments("{}", NO_TYPE),
                row("{'Type':'t'}", NO_TYPE),
                row("{'data':{'type':'t'}}", NO_TYPE),
                row("{'type':null}", "field 'type' is not a string"),
                row("{'type':1}", "field 'type' is not a string"),
                row("{'type':['t']}", "field 'type' is not a string"),
                row("{'type':''}", badType("")),
                row("{'type':'$'}", badType("$")),
                row("{'type':'$$x'}", badType("$$x")),
                row("{'type':'a b'}", badType("a b")),
                row("{'type':'a\\nb'}", badType("a?b")),
                row("{'type':'\\u0000'}", badType("?")),
                row("{'type':'é'}", badType("é")),
                row("{'type':'" + "x".repeat(129) + "'}", badType("x".repeat(61) + "...")),
                // ref, room, from
                row("{'type':'t','ref':''}", BAD_REF),
                row("{'type':'t','ref':'" + "r".repeat(65) + "'}", BAD_REF),
                row("{'type':'t','ref':'a\\nb'}", BAD_REF),
                row("{'type':'t','ref':'\\u2028'}", BAD_REF),
                row("{'type':'t','room':'a\\nb'}", BAD_ROOM),
                row("{'type':'t','room':'a\\u0000'}", BAD_ROOM),
                row("{'type':'t','room':'\u007f'}", BAD_ROOM),
                row("{'type':'t','room':'\u0085'}", BAD_ROOM),
                row("{'type':'t','room':'\u2029'}", BAD_ROOM),
                row("{'type':'t','room':'" + "\uD83D\uDE00".repeat(64) + "x'}", BAD_ROOM),
                row("{'type':'t','ref':1}", "field 'ref' is not a string"),
                row("{'type':'t','ref':null}", "field 'ref' is not a string"),
                row("{'type':'t','ref':{}}", "field 'ref' is not a string"),
                row("{'type':'t','room':''}", BAD_ROOM),
                row("{'type':'t','room':'" + "r".repeat(257) + "'}", BAD_ROOM),
                row("{'type':'t','room':'" + "é".repeat(129) + "'}", BAD_ROOM),
                row("{'type':'t','room':false}", "field 'room' is not a string"),
                row("{'type':'t','from':7}", "field 'from' is not a string"),
                row("{'type':'t','ref':'\\ud83d'}", NOT_JSON),
                row("{'type':'t','room':'\\ude00\\ud83d'}", NOT_JSON),
                row("{'type':'t','room':'a\\ud83db'}", NOT_JSON),
                row("{'type':'t','from':'\\udfff'}", NOT_JSON),
                // integers
                row("{'type':'t','seq':0}", BAD_SEQ),
                row("{'type':'t','seq':-1}", BAD_SEQ),
                row("{'type':'t','seq':-0}", BAD_SEQ),
                row("{'type':'t','seq':1.5}", BAD_SEQ),
                row("{'type':'t','seq':1.0}", BAD_SEQ),
                row("{'type':'t','seq':1e3}", BAD_SEQ),
                row("{'type':'t','seq':'1'}", BAD_SEQ),
                row("{'type':'t','seq':null}", BAD_SEQ),
                row("{'type':'t','seq':true}", BAD_SEQ),
                row("{'type':'t','seq':[1]}", BAD_SEQ),
                row("{'type':'t','seq':9007199254740992}", BAD_SEQ),
                row("{'type':'t','seq':9223372036854775808}", BAD_SEQ),
                row("{'type':'t','seq':1e999999999}", BAD_SEQ),
                row("{'type':'t','seq':" + "9".repeat(100_000) + "}", NOT_JSON),
                row("{'type':'t','offset':0}", "field 'offset' is not an integer from 1 to 2^53-1"),
                row("{'type':'t','ts':-1}", "field 'ts' is not an integer from 0 to 2^53-1"),
                row("{'type':'t','redelivered':1}", "field 'redelivered' is not a boolean"),
                row("{'type':'t','redelivered':'true'}", "field 'redelivered' is not a boolean"),
                row("{'type':'t','redelivered':null}", "field 'redelivered' is not a boolean"));
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void whatIsNoEnvelopeIsRefusedSayingWhy(String frame, String why) {
        var refused = assertThrows(MalformedException.class, () -> Envelope.parse(frame));
        assertEquals(why, refused.getMessage());
        assertEquals(ErrorCode.BAD_MESSAGE, refused.code());
        assertFalse(refused.isRetryable());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'$join','room':'','ref':'r'}",
                "{'ref':'r','type':'$join','room':''}",
                "{'type':'a b','ref':'r'}",
                "{'data':1,'ref':'r'}",
                "{'type':'t','seq':'1','x':[{}],'ref':'r'}",
                "{'type':1,'ref':'r'}",
                "{'redelivered':7,'type':'t','ref':'r'}",
                "{'type':'t','type':'t','ref':'r'}",
                "{'type':'t','ref':'r','ref':'s'}",
                "{'type':'t','ref':'r'}{}",
                "{'type':'t','ref':'r','data':NaN}",
            })
    void faultCarriesTheRefThatCouldBeRead(String frame) {
        var refused = assertThrows(MalformedException.class, () -> Envelope.parse(frame.replace('\'', '"')));
        assertEquals("r", refused.ref());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"{'type':'t','ref':'a\\nb'}", "{'type':'t','ref':''}", "{'type':'t','ref':7}", "[{'ref':'r'}]"})
    void faultWithoutValidRefCarriesNone(String frame) {
        var refused = assertThrows(MalformedException.class, () -> Envelope.parse(frame.replace('\'', '"')));
        assertNull(refused.ref());
    }

    @Test
    void firstOfTwoFaultsIsReported() {
        var refused = assertThrows(
                MalformedException.class,
                () -> Envelope.parse("{\"type\":\"t\",\"room\":\"\",\"seq\":0,\"ref\":\"r\"}"));
        assertEquals(BAD_ROOM, refused.getMessage());
    }

    @Test
    void fieldWithALongNameIsNamedBriefly() {
        String name = "x".repeat(10_000);
        var refused = assertThrows(
                MalformedException.class,
                () -> Envelope.parse("{\"type\":\"t\",\"" + name + "\":1,\"" + name + "\":1}"));
        assertEquals("field '" + "x".repeat(61) + "...' is repeated", refused.getMessage());
    }

    @Test
    void everyFieldIsRead() {
        Envelope envelope = Envelope.parse("{\"type\":\"chat.said\",\"data\":\"hi\",\"ref\":\"r1\",\"seq\":7,"
                + "\"redelivered\":true,\"room\":\"chat:42\",\"offset\":9007199254740991,\"from\":\"alice\",\"ts\":5}");
        assertEquals("chat.said", envelope.type());
        assertFalse(envelope.isProtocol());
        assertEquals("r1", envelope.ref());
        assertEquals(7, envelope.seq());
        assertTrue(envelope.isRedelivered());
        assertEquals("chat:42", envelope.room());
        assertEquals(9007199254740991L, envelope.offset());
        assertEquals("alice", envelope.from());
        assertEquals(5, envelope.ts());
        assertEquals("hi", envelope.<String>data(String.class));
    }

    @Test
    void traceIsBounded() {
        String longest = "x".repeat(128);
        assertEquals(
                longest,
                Envelope.parse("{\"type\":\"t\",\"trace\":\"" + longest + "\"}").trace());
        String tooLong = "\"" + longest + "x\"";
        for (String bad : new String[] {"\"\"", tooLong, "\"a b\"", "\"a\\nb\"", "\"é\"", "7", "null"}) {
            var refused = assertThrows(
                    MalformedException.class, () -> Envelope.parse("{\"type\":\"t\",\"trace\":" + bad + "}"), bad);
            assertTrue(refused.getMessage().startsWith("field 'trace' is not "), refused.getMessage());
        }
    }

    @Test
    void otherPayloadLeavesTheFields() {
        Envelope envelope = Envelope.parse("{\"type\":\"t\",\"ref\":\"r\",\"room\":\"a\",\"seq\":7,\"from\":\"f\","
                + "\"trace\":\"x\",\"ts\":5,\"index\":2,\"offset\":3,\"redelivered\":true,\"data\":[1 , 2] }");
        assertEquals("[1 , 2]", envelope.json());
        Envelope changed = envelope.withJson(" {\"a\":1} ");
        assertEquals(envelope.toString(), changed.toString());
        assertEquals("{\"a\":1}", changed.json().strip());
        assertEquals("f", changed.from());
        assertEquals("x", changed.trace());
        assertEquals(5, changed.ts());
        assertEquals(2, changed.index());
        assertTrue(changed.isRedelivered());
        assertEquals("{\"a\":1}", changed.<JsonElement>data(JsonElement.class).toString());
        assertEquals("null", envelope.withJson("null").json());
        assertFalse(envelope.withJson("null").hasData());
    }

    @Test
    void otherPayloadIsOneJsonValueThatFitsIntoAFrame() {
        Envelope envelope = Envelope.parse("{\"type\":\"t\"}");
        String deepest = "[".repeat(31) + "]".repeat(31);
        assertEquals(deepest, envelope.withJson(deepest).json());
        for (String bad : new String[] {"", " ", "1 2", "{", "[" + deepest + "]", "NaN", "\"a\nb\""}) {
            assertThrows(IllegalArgumentException.class, () -> envelope.withJson(bad), bad);
        }
    }

    @Test
    void payloadIsMeasuredInUtf8() {
        for (String json : new String[] {"1", "\"a\"", "\"é\"", "\"€\"", "\"\uD83D\uDE00\"", "[1, 2]"}) {
            Envelope envelope = Envelope.parse("{\"type\":\"t\",\"data\":" + json + "}");
            assertEquals(json.getBytes(StandardCharsets.UTF_8).length, envelope.dataBytes(), json);
        }
        assertEquals(0, Envelope.parse("{\"type\":\"t\"}").dataBytes());
    }

    @Test
    void fieldsThatAreAbsentHaveTheirDefaults() {
        Envelope envelope = Envelope.parse("{\"type\":\"$ping\"}");
        assertTrue(envelope.isProtocol());
        assertNull(envelope.ref());
        assertNull(envelope.room());
        assertNull(envelope.from());
        assertEquals(0, envelope.seq());
        assertEquals(0, envelope.offset());
        assertEquals(0, envelope.ts());
        assertFalse(envelope.isRedelivered());
        assertEquals(16, envelope.length());
    }

    /** The lengths around those of the reader's buffer, with fields on both sides that are none of its business. */
    @Test
    void payloadOfAnyLengthIsReadFromBetweenTheOtherFields() {
        for (int length : new int[] {0, 1, 1021, 1022, 1023, 1024, 1025, 2046, 2047, 2048, 50_000}) {
            String data = "é".repeat(length);
            Envelope envelope = Envelope.parse("{\"type\":\"t\",\"data\":\"" + data + "\",\"ref\":\"r\",\"seq\":7}");
            assertEquals(data, envelope.<String>data(String.class));
            assertEquals(7, envelope.seq());
        }
    }

    @Test
    void longestNamesAreTaken() {
        Envelope envelope = Envelope.parse("{\"type\":\"" + "t".repeat(128) + "\",\"ref\":\"" + "é".repeat(64)
                + "\",\"room\":\"" + "é".repeat(128) + "\"}");
        assertEquals(128, envelope.type().length());
        assertEquals("é".repeat(64), envelope.ref());
        assertEquals("é".repeat(128), envelope.room());
        assertEquals(
                "\uD83D\uDE00",
                Envelope.parse("{\"type\":\"t\",\"room\":\"\\ud83d\\ude00\"}").room());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{\"x\":{\"type\":\"other\",\"data\":2},\"type\":\"t\",\"data\":1}",
                "{\"data\":1,\"type\":\"t\"}",
                "{\"data\":1,\"later\":[1,{\"data\":3}],\"type\":\"t\",\"X\":\"\\\"}\"}",
                " \t\r\n{ \"\\u0074ype\" : \"t\" , \"dat\\u0061\" : 1 } \n"
            })
    void unknownFieldsAreIgnoredAndTheOrderIsFree(String frame) {
        Envelope envelope = Envelope.parse(frame);
        assertEquals("t", envelope.type());
        assertEquals(1, envelope.<Integer>data(Integer.class));
    }

    @Test
    void nestingOf32CountsTheEnvelope() {
        Envelope deepest = Envelope.parse(nested(32));
        JsonElement data = deepest.data(JsonElement.class);
        assertEquals("[".repeat(31) + "]".repeat(31), data.toString());
    }

    @Test
    void serversFrameMayNest35() {
        Envelope deepest = Envelope.parseFromServer(nested(35));
        JsonElement data = deepest.data(JsonElement.class);
        assertEquals("[".repeat(34) + "]".repeat(34), data.toString());
        var refused = assertThrows(MalformedException.class, () -> Envelope.parseFromServer(nested(36)));
        assertEquals("a frame must hold JSON (RFC 8259), nested at most 35 deep", refused.getMessage());
    }

    @Test
    void messageHasWhatTheEnvelopeHad() {
        Envelope envelope = Envelope.parse("{\"type\":\"t\",\"data\":\"x\",\"room\":\"r\",\"offset\":3,"
                + "\"from\":\"alice\",\"redelivered\":true}");
        var message = envelope.<String>message(Json.payload(String.class), "e1", 1_000);
        assertEquals("x", message.data());
        assertEquals("r", message.room());
        assertEquals(new Position("e1", 3), message.position());
        assertEquals("alice", message.from());
        assertEquals(Instant.ofEpochMilli(1_000), message.timestamp());
        assertTrue(message.isRedelivered());
        assertNull(envelope.<String>message(Json.payload(String.class), null, 1_000)
                .position());
        assertNull(Envelope.parse("{\"type\":\"t\",\"data\":\"x\"}")
                .<String>message(Json.payload(String.class), "e1", 1_000)
                .position());
    }

    @Test
    void errorIsReadHoweverCarelessThePeer() {
        var error = Envelope.parse("{\"type\":\"$error\",\"data\":{\"code\":\"rate_limited\",\"message\":\"slow down\","
                        + "\"retryable\":true,\"retryAfterMs\":250,\"closeCode\":4101}}")
                .error();
        assertEquals(new ErrorData("rate_limited", "slow down", true, 250L, 4101), error);
        var remote = error.exception();
        assertEquals(ErrorCode.RATE_LIMITED, remote.code());
        assertEquals("slow down", remote.getMessage());
        assertTrue(remote.isRetryable());

        for (String data : new String[] {"null", "[]", "\"oops\"", "{}", "{\"code\":\"no such word\"}"}) {
            var careless = Envelope.parse("{\"type\":\"$error\",\"data\":" + data + "}");
            assertEquals(ErrorCode.INTERNAL, careless.error().exception().code(), data);
        }
    }

    @Test
    void itsStringDoesNotHoldThePayload() {
        String text = Envelope.parse("{\"type\":\"$auth\",\"ref\":\"1\",\"data\":{\"token\":\"secret\"}}")
                .toString();
        assertTrue(text.contains("$auth"), text);
        assertFalse(text.contains("secret"), text);
    }
}
