package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** How the application closes one session: with a code of its own, or so that the client comes back. */
@Timeout(60)
class SessionCloseTest {
    private final List<CloseReason> ends = new ArrayList<>();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.listener(new SessionListener() {
                @Override
                public void onClose(Session session, CloseReason reason) {
                    ends.add(reason);
                }
            }));

    @AfterEach
    void close() {
        test.close();
    }

    private Session session() {
        return test.server.connections().user("ann").sessions().get(0);
    }

    @Test
    void codeOfTheApplicationEndsTheSessionForGood() {
        TestPeer ann = test.managed("ann");
        session().close(4507, "plan expired");
        test.settle();
        JsonObject error = ann.data("$error");
        assertEquals("kicked", error.get("code").getAsString());
        assertEquals("plan expired", error.get("message").getAsString());
        assertEquals(4507, error.get("closeCode").getAsInt());
        assertFalse(error.get("retryable").getAsBoolean());
        assertEquals(new CloseReason(4507, "plan expired"), ann.closed());
        assertEquals(List.of(new CloseReason(4507, "plan expired")), ends);
        assertEquals(0, test.server.connections().sessionCount());
    }

    @Test
    void otherCodesAreRefused() {
        test.plain("ann");
        for (int code : new int[] {1000, 4005, 4499, 5000}) {
            assertThrows(IllegalArgumentException.class, () -> session().close(code, "x"));
        }
        assertEquals(1, test.server.connections().sessionCount());
    }

    @Test
    void reconnectKeepsAManagedSession() {
        TestPeer ann = test.managed("ann");
        Session session = session();
        session.reconnect(Duration.ofSeconds(3));
        test.settle();
        JsonObject retry = ann.data("$goodbye").getAsJsonObject("retry");
        assertEquals(0, retry.get("minMs").getAsLong());
        assertEquals(3_000, retry.get("maxMs").getAsLong());
        JsonObject error = ann.data("$error");
        assertEquals("reconnect", error.get("code").getAsString());
        assertTrue(error.get("retryable").getAsBoolean());
        assertEquals(CloseReason.RECONNECT, ann.closeCode());
        assertEquals(session, session());
        assertFalse(session.isConnected());
        session.reconnect(Duration.ZERO);
        assertEquals(List.of(), ends);
    }

    @Test
    void windowOutsideItsRangeIsRefused() {
        test.plain("ann");
        assertThrows(IllegalArgumentException.class, () -> session().reconnect(Duration.ofMillis(-1)));
        assertThrows(IllegalArgumentException.class, () -> session().reconnect(Duration.ofMinutes(61)));
    }
}
