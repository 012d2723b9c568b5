package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** How a peer is authenticated, and what its token permits until when. */
class LoginTest extends ChatServerFixture {
    // ------------------------------------------------------------ welcome

    @Test
    void plainClientIsWelcomedAtOnce() {
        TestPeer peer = test.connect("", "/ws?token=ann");
        JsonObject welcome = peer.data("$welcome");
        assertEquals("ann", welcome.get("user").getAsString());
        assertFalse(welcome.get("resumed").getAsBoolean());
        assertEquals(0, welcome.get("seq").getAsLong());
        assertTrue(welcome.getAsJsonObject("rooms").keySet().containsAll(List.of("@user", "@session", "@all")));
        assertEquals(
                65536, welcome.getAsJsonObject("limits").get("messageBytes").getAsInt());
        assertEquals(
                30000, welcome.getAsJsonObject("heartbeat").get("intervalMs").getAsInt());
        assertEquals(List.of("open ann"), life);
    }

    @Test
    void managedClientSaysHelloFirst() {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        assertEquals(List.of(), peer.types());
        peer.send("{'type':'say','data':{'text':'too early'}}");
        assertEquals("bad_message", peer.data("$error").get("code").getAsString());
        assertEquals(CloseReason.PROTOCOL_ERROR, peer.closeCode());
        assertEquals(List.of(), handled);
    }

    @Test
    void helloThatNeverComesClosesAtTheDeadline() {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        test.time.advance(Duration.ofMillis(10_000 - 19));
        assertNull(peer.closed());
        test.time.advance(Duration.ofMillis(20));
        assertEquals(CloseReason.HELLO_TIMEOUT, peer.closeCode());
    }

    @Test
    void messagesThatComeBeforeTheWelcomeWaitForIt() {
        CompletableFuture<Authentication> proof = new CompletableFuture<>();
        start(builder -> builder, credentials -> proof);
        TestPeer ann = test.connect("", "/ws?token=ann");
        ann.send("{'type':'say','data':{'text':'early'}}");
        assertEquals(List.of(), handled);
        proof.complete(Authentication.of("ann"));
        test.settle();
        assertEquals(List.of("$welcome"), ann.types());
        assertEquals(List.of("early"), handled);
    }

    @Test
    void authenticatorThatNeverAnswersTimesOut() {
        start(builder -> builder, credentials -> new CompletableFuture<>());
        TestPeer ann = test.connect("", "/ws?token=ann");
        test.time.advance(Duration.ofSeconds(11));
        assertEquals(CloseReason.HELLO_TIMEOUT, ann.closeCode());
    }

    @Test
    void tokenThatExpiresClosesUnlessItIsRefreshed() {
        start(
                builder -> builder,
                credentials -> CompletableFuture.completedFuture(Authentication.of("ann")
                        .withExpiry(Instant.ofEpochMilli(test.time.currentTimeMillis() + 60_000))));
        TestPeer lapses = test.connect("", "/ws?token=ann");
        TestPeer refreshes = test.connect("", "/ws?token=ann");
        test.time.advance(Duration.ofSeconds(30));
        refreshes.send("{'type':'$auth','ref':'a','data':{'token':'fresh'}}");
        assertTrue(refreshes.data("$reply").get("expiresAt").getAsLong() > 0);
        test.time.advance(Duration.ofSeconds(31));
        assertEquals(CloseReason.TOKEN_EXPIRED, lapses.closeCode());
        assertNull(refreshes.closed());
        test.time.advance(Duration.ofSeconds(30));
        assertEquals(CloseReason.TOKEN_EXPIRED, refreshes.closeCode());
    }

    @Test
    void refreshThatIsNeverCheckedIsRefusedInTimeAndAnotherOneIsTaken() {
        List<CompletableFuture<Authentication>> asked = new ArrayList<>();
        start(builder -> builder, credentials -> {
            asked.add(new CompletableFuture<>());
            return asked.get(asked.size() - 1);
        });
        TestPeer ann = test.connect("", "/ws?token=ann");
        asked.get(0).complete(Authentication.of("ann"));
        test.settle();
        ann.send("{'type':'$auth','ref':'a','data':{'token':'slow'}}");
        test.time.advance(Duration.ofMillis(9_900));
        ann.send("{'type':'$auth','ref':'b','data':{'token':'too early'}}");
        assertEquals("overloaded", ann.data("$error").get("code").getAsString());
        assertEquals(List.of("$welcome"), ann.types());
        test.time.advance(Duration.ofMillis(200));
        assertEquals("timeout", ann.data("$error").get("code").getAsString());
        ann.send("{'type':'$auth','ref':'c','data':{'token':'quick'}}");
        asked.get(1).complete(Authentication.of("bob")); // too late
        asked.get(2).complete(Authentication.of("ann"));
        test.settle();
        assertEquals(1, ann.types().stream().filter("$reply"::equals).count());
        assertNull(ann.closed());
    }

    @ParameterizedTest
    @CsvSource({"/other,404", "/ws,101"})
    void otherPathsAreRefusedInTheUpgrade(String path, int status) {
        TestPeer peer = test.connect("", path + "?token=ann");
        if (status == 101) {
            assertNull(peer.failure());
        } else {
            assertTrue(
                    String.valueOf(peer.failure()).endsWith("upgrade refused: 404 Not Found"),
                    String.valueOf(peer.failure()));
        }
    }

    @Test
    void unknownSubprotocolIsRefusedInTheUpgrade() {
        assertNotNull(test.connect("graphql-ws", "/ws").failure());
    }

    @ParameterizedTest
    @CsvSource({
        "https://shop.example,shop.example,true",
        "https://shop.example:8081,shop.example:8080,true",
        "http://[::1]:81,[::1]:80,true",
        "https://evil.example,shop.example,false",
        "https://shop.example.evil.example,shop.example,false",
        "https://Friend.example,shop.example,true",
        "null,shop.example,false",
        "https://shop.example,,false",
    })
    void pagesOfOtherHostsAreRefusedUnlessAllowed(String origin, String host, boolean accepted) {
        start(builder -> builder.allowOrigin("https://friend.example"));
        Map<String, String> headers = host == null ? Map.of("Origin", origin) : Map.of("Origin", origin, "Host", host);
        TestPeer peer = test.connect("", "/ws?token=ann", headers);
        assertEquals(accepted, peer.failure() == null, String.valueOf(peer.failure()));
    }

    @Test
    void bearerHeaderAuthenticates() {
        TestPeer peer = test.connect("", "/ws", Map.of("Authorization", "Bearer ann"));
        assertEquals("ann", peer.data("$welcome").get("user").getAsString());
    }

    @Test
    void anonymousClientsKeepTheirOwnUsers() {
        test.close();
        test = new TestServer(null, builder -> builder.anonymous());
        TestPeer one = test.connect("realtime.v1", "/ws");
        one.send("{'type':'$hello','data':{'client':'c-0123456789012345'}}");
        TestPeer same = test.connect("realtime.v1", "/ws");
        same.send("{'type':'$hello','data':{'client':'c-0123456789012345'}}");
        TestPeer plain = test.connect("", "/ws");
        String user = one.data("$welcome").get("user").getAsString();
        assertTrue(user.startsWith("anonymous-") && !user.contains("0123456789"), user);
        assertEquals(user, same.data("$welcome").get("user").getAsString());
        assertNotEquals(user, plain.data("$welcome").get("user").getAsString());
    }

    @Test
    void badTokenIsReportedAndClosed() {
        TestPeer plain = test.connect("", "/ws?token=bad");
        assertEquals("unauthorized", plain.data("$error").get("code").getAsString());
        assertEquals(CloseReason.UNAUTHORIZED, plain.closeCode());
        TestPeer managed = test.connect("realtime.v1", "/ws");
        managed.send("{'type':'$hello','data':{}}");
        assertEquals(CloseReason.UNAUTHORIZED, managed.closeCode());
        assertEquals(List.of(), life);
    }
}
