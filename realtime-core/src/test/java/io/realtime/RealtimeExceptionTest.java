package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import org.junit.jupiter.api.Test;

class RealtimeExceptionTest {
    @Test
    void codeMessageAndCauseAreKept() {
        var cause = new IOException("pipe");
        var failure = new RealtimeException(ErrorCode.OVERLOADED, "full", true, cause);
        assertEquals(ErrorCode.OVERLOADED, failure.code());
        assertEquals("full", failure.getMessage());
        assertTrue(failure.isRetryable());
        assertSame(cause, failure.getCause());
        assertFalse(new RealtimeException(ErrorCode.FORBIDDEN, "no").isRetryable());
    }

    @Test
    void itSurvivesSerialization() throws Exception {
        var lost =
                new ConnectionException(ErrorCode.CONNECTION_LOST, new CloseReason(CloseReason.KICKED, "enough"), null);
        var bytes = new ByteArrayOutputStream();
        try (var out = new ObjectOutputStream(bytes)) {
            out.writeObject(lost);
        }
        try (var in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
            var copy = assertInstanceOf(ConnectionException.class, in.readObject());
            assertEquals(ErrorCode.CONNECTION_LOST, copy.code());
            assertEquals(new CloseReason(CloseReason.KICKED, "enough"), copy.reason());
            assertEquals("enough", copy.getMessage());
        }
    }

    @Test
    void connectionThatClosedWithoutAWordNamesItsCode() {
        var lost = new ConnectionException(ErrorCode.CLOSED, new CloseReason(CloseReason.NORMAL, ""), null);
        assertEquals("closed with 1000", lost.getMessage());
        assertEquals(new CloseReason(CloseReason.NORMAL, ""), lost.reason());
    }

    @Test
    void payloadThatDoesNotFitIsBadData() {
        var unfit = new PayloadException("$.x: no");
        assertEquals(ErrorCode.BAD_DATA, unfit.code());
        assertEquals("$.x: no", unfit.getMessage());
        assertFalse(unfit.isRetryable());
    }

    @Test
    void remoteFailureHasThePeersWords() {
        var remote = new RemoteException(ErrorCode.of("sold_out"), "none left", true);
        assertEquals(ErrorCode.of("sold_out"), remote.code());
        assertEquals("none left", remote.getMessage());
        assertTrue(remote.isRetryable());
    }
}
