package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.util.Map;
import org.junit.jupiter.api.Test;

class FramesTest {
    @Test
    void noFrameThatHoldsASecretShowsIt() {
        assertEquals(
                "Hello{agent=test}",
                new Protocol.Hello("token", "client", "session", Map.of(), null, "test", true, null).toString());
        assertEquals("Auth{}", new Protocol.Auth("token").toString());
        Protocol.Welcome welcome = new Protocol.Welcome(
                "session",
                "ann",
                true,
                1,
                0,
                true,
                Map.of(),
                null,
                new Protocol.HeartbeatMs(1, 2),
                new Protocol.LimitsData(1, 1, 1, 1),
                new Protocol.Spread(0),
                null);
        assertEquals("Welcome{user=ann, resumed=true}", welcome.toString());
    }

    @Test
    void envelopeShowsNoPayload() {
        Envelope hello = Envelope.parse("{\"type\":\"$hello\",\"ref\":\"1\",\"data\":{\"token\":\"secret\"}}");
        assertEquals("Envelope{type=$hello, ref=1, room=null, seq=0, offset=0}", hello.toString());
    }

    @Test
    void errorFitsHoweverMuchItsThrowerHadToSay() {
        ErrorData error = ErrorData.of(new RealtimeException(ErrorCode.of("long"), "x".repeat(1_000_000)));
        assertEquals(1_000, error.message().length());
        String whole = "two\nlines";
        assertEquals(
                whole,
                ErrorData.of(new RealtimeException(ErrorCode.of("short"), whole))
                        .message());
    }
}
