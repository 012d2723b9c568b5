package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.net.URI;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ScriptedPeerTest extends NetworkFixture {
    record Said(String text) {}

    record SaidFrame(String type, long offset, Said data) {}

    private URI uri() {
        return URI.create("ws://anywhere:" + server.port() + "/ws?token=ann");
    }

    private ScriptedPeer plain() {
        answer = ServerTransport.Upgrade.accept(null);
        ScriptedPeer peer = ScriptedPeer.plain(client, uri());
        advance(2);
        assertTrue(peer.isOpen());
        return peer;
    }

    private void says(String... texts) {
        for (String text : texts) {
            assertTrue(serverEnd().connection.send(text(text)));
        }
        advance(1);
    }

    @Test
    void connectsAsAManagedOrAPlainClientOrAsItIsReported() {
        answer = ServerTransport.Upgrade.accept("realtime.v1");
        ScriptedPeer managed = ScriptedPeer.managed(client, uri());
        assertFalse(managed.isOpen());
        advance(2);
        assertTrue(managed.isOpen());
        assertEquals(List.of("realtime.v1"), serverEnd().handshake.subprotocols());

        ScriptedPeer plain = plain();
        assertEquals(List.of(), accepted.get(1).handshake.subprotocols());
        assertEquals("token=ann", accepted.get(1).handshake.query());
        assertNull(plain.failure());

        answer = ServerTransport.Upgrade.accept("p");
        ScriptedPeer other = ScriptedPeer.connect(
                client, new ClientTransport.Target(uri(), Map.of("Origin", "https://a"), "p", MESSAGE, BOUND));
        advance(2);
        assertTrue(other.isOpen());
        assertEquals("https://a", accepted.get(2).handshake.header("Origin"));
    }

    @Test
    void sendsJsonInSingleQuotesAndAnythingElseAsItIs() {
        ScriptedPeer peer = plain();
        assertTrue(peer.send("{'type':'a'}"));
        assertTrue(peer.sendRaw("{'no json"));
        assertTrue(peer.sendBinary(new byte[3]));
        advance(1);
        assertEquals(List.of("{\"type\":\"a\"}@3", "{'no json@3", "binary 3@3"), serverEnd().seen);
    }

    @Test
    void takesTheOldestOfATypeAndLeavesTheOthers() {
        ScriptedPeer peer = plain();
        says("{\"type\":\"a\",\"offset\":1,\"data\":{\"text\":\"x\"}}", "{\"type\":\"b\",\"data\":[1]}");
        says("{\"type\":\"a\",\"offset\":2,\"data\":{\"text\":\"y\"}}", "{\"type\":\"a\"}");
        assertEquals(List.of("a", "b", "a", "a"), peer.types());
        assertEquals(new SaidFrame("a", 1, new Said("x")), peer.next("a", SaidFrame.class));
        assertEquals(new Said("y"), peer.data("a", Said.class));
        assertEquals(1, peer.next("b", JsonObject.class).getAsJsonArray("data").size());
        assertEquals(List.of("{\"type\":\"a\"}"), peer.received());
        assertThrows(AssertionError.class, () -> peer.data("a", Said.class), "it has no data");
        AssertionError none = assertThrows(AssertionError.class, () -> peer.next("c", JsonObject.class));
        assertEquals("no c was received by ScriptedPeer{open, received []}", none.getMessage());
    }

    @Test
    void keepsWhatIsNoEnvelope() {
        ScriptedPeer peer = plain();
        says("", "[1]", "{\"type\":{}}", "{'type':'a'}", "null", "{");
        serverEnd().connection.send(MessageBatch.of(WireMessage.binary(new byte[3])));
        advance(1);
        assertEquals(List.of("", "", "", "", "", "", ""), peer.types());
        assertEquals("[1]", peer.received().get(1));
        assertEquals("binary message of 3 bytes", peer.received().get(6));
        peer.clear();
        assertEquals(List.of(), peer.received());
    }

    @Test
    void tellsWhyItsConnectionIsOver() {
        ScriptedPeer peer = plain();
        assertNull(peer.closed());
        serverEnd().connection.close(new CloseReason(CloseReason.KICKED, "enough"));
        advance(1);
        assertEquals(new CloseReason(CloseReason.KICKED, "enough"), peer.closed());
        assertFalse(peer.isOpen());
        assertFalse(peer.send("{}"));
        assertEquals("ScriptedPeer{closed 4005 enough, received []}", peer.toString());
    }

    @Test
    void closesAndAborts() {
        plain().close(4999, "done");
        plain().abort();
        advance(2);
        assertEquals(List.of("peer closed 4999 done@3"), accepted.get(0).seen);
        assertEquals(List.of("closed 1006 connection reset@5"), accepted.get(1).seen);
    }

    @Test
    void tellsWhyThereIsNoConnection() {
        answer = ServerTransport.Upgrade.refuse(403, "Forbidden");
        ScriptedPeer peer = ScriptedPeer.plain(client, uri());
        assertThrows(IllegalStateException.class, () -> peer.send("{}"));
        assertNull(peer.failure());
        advance(2);
        assertNotNull(peer.failure());
        assertEquals("upgrade refused: 403 Forbidden", peer.failure().getMessage());
        assertThrows(IllegalStateException.class, peer::abort);
    }
}
