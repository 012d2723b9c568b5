package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RealtimeServerTest {
    record Say(String text) {
        Say {
            if (text == null) {
                throw new IllegalArgumentException("text is required");
            }
        }
    }

    record Said(String user, String text) {}

    private static final Event<Say> SAY = Event.of("say", Say.class);
    private static final Event<Said> SAID = Event.of("said", Said.class);
    private static final Event<Said> TYPING = Event.ephemeral("typing", Said.class);
    private static final Event<Void> FAIL = Event.of("fail", Void.class);
    private static final Event<Void> UNWRITABLE = Event.of("unwritable", Void.class); // fails to send
    private static final Event<Double> PRICE = Event.of("price", Double.class);
    private static final Event<Void> REFUSE = Event.of("refuse", Void.class);
    private static final Request<JsonElement, JsonElement> ECHO =
            Request.of("echo", JsonElement.class, JsonElement.class);
    private static final Request<Integer, Integer> LATER = Request.of("later", Integer.class, Integer.class);

    private final List<String> handled = new ArrayList<>();
    private final List<String> life = new ArrayList<>();
    private final CompletableFuture<Integer> later = new CompletableFuture<>();
    private TestServer test = start(builder -> builder);

    private TestServer start(UnaryOperator<RealtimeServer.Builder> more) {
        return start(more, TestServer::byName);
    }

    private TestServer start(UnaryOperator<RealtimeServer.Builder> more, Authenticator authenticator) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                authenticator,
                builder -> more.apply(builder.allowJoin((session, room) -> room.startsWith("chat:"))
                        .on(SAY, (session, message) -> {
                            handled.add(message.data().text() + (message.isRedelivered() ? " again" : ""));
                            if (message.room() != null) {
                                session.room(message.requireRoom())
                                        .send(
                                                SAID,
                                                new Said(
                                                        session.user().id(),
                                                        message.data().text()));
                            }
                        })
                        .on(FAIL, (session, message) -> {
                            throw new IllegalStateException("secret detail");
                        })
                        .on(UNWRITABLE, (session, message) -> session.send(PRICE, Double.NaN))
                        .on(REFUSE, (session, message) -> {
                            throw new RealtimeException(ErrorCode.of("sold_out"), "nothing left");
                        })
                        .onRequest(ECHO, (session, data) -> data)
                        .onRequestAsync(LATER, (session, data) -> later)
                        .listener(new SessionListener() {
                            @Override
                            public void onOpen(Session session) {
                                life.add("open " + session.user().id());
                            }

                            @Override
                            public void onResume(Session session) {
                                life.add("resume " + session.user().id());
                            }

                            @Override
                            public void onDetach(Session session, CloseReason reason) {
                                life.add("detach " + session.user().id() + " " + reason.code());
                            }

                            @Override
                            public void onClose(Session session, CloseReason reason) {
                                life.add("close " + session.user().id() + " " + reason.code());
                            }

                            @Override
                            public void onError(Session session, Throwable failure) {
                                life.add("error " + failure.getMessage());
                            }
                        })));
        return test;
    }

    @AfterEach
    void nothingIsLeftBehind() {
        test.close();
        assertEquals(0, test.network.connections());
        assertEquals(0, test.server.connections().sessionCount());
        assertEquals(0, test.time.pending(), "timers left");
    }

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
        assertNull(peer.closed);
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
    void authenticatorThatNeverAnswersCostsTheDeadlineOnly() {
        start(builder -> builder, credentials -> new CompletableFuture<>());
        TestPeer ann = test.connect("", "/ws?token=ann");
        test.time.advance(Duration.ofSeconds(11));
        assertEquals(CloseReason.HELLO_TIMEOUT, ann.closeCode());
    }

    @Test
    void tokenThatExpiresClosesUnlessItIsRefreshed() {
        start(
                builder -> builder,
                credentials -> CompletableFuture.completedFuture(new Authentication(
                        "ann", Map.of(), Instant.ofEpochMilli(test.time.currentTimeMillis() + 60_000))));
        TestPeer lapses = test.connect("", "/ws?token=ann");
        TestPeer refreshes = test.connect("", "/ws?token=ann");
        test.time.advance(Duration.ofSeconds(30));
        refreshes.send("{'type':'$auth','ref':'a','data':{'token':'fresh'}}");
        assertTrue(refreshes.data("$reply").get("expiresAt").getAsLong() > 0);
        test.time.advance(Duration.ofSeconds(31));
        assertEquals(CloseReason.TOKEN_EXPIRED, lapses.closeCode());
        assertNull(refreshes.closed);
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
        assertNull(ann.closed);
    }

    @ParameterizedTest
    @CsvSource({"/other,404", "/ws,101"})
    void otherPathsAreRefusedInTheUpgrade(String path, int status) {
        TestPeer peer = test.connect("", path + "?token=ann");
        if (status == 101) {
            assertNotNull(peer.connection);
        } else {
            assertTrue(
                    String.valueOf(peer.failed).endsWith("upgrade refused: 404 Not Found"),
                    String.valueOf(peer.failed));
        }
    }

    @Test
    void unknownSubprotocolIsRefusedInTheUpgrade() {
        assertNotNull(test.connect("graphql-ws", "/ws").failed);
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
        assertEquals(accepted, peer.failed == null, String.valueOf(peer.failed));
    }

    @Test
    void bearerHeaderIsAToken() {
        TestPeer peer = test.connect("", "/ws", Map.of("Authorization", "Bearer ann"));
        assertEquals("ann", peer.data("$welcome").get("user").getAsString());
    }

    @Test
    void anonymousClientsAreUsersOfTheirOwnAndStayThemselves() {
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
    void badTokenIsToldAndClosed() {
        TestPeer plain = test.connect("", "/ws?token=bad");
        assertEquals("unauthorized", plain.data("$error").get("code").getAsString());
        assertEquals(CloseReason.UNAUTHORIZED, plain.closeCode());
        TestPeer managed = test.connect("realtime.v1", "/ws");
        managed.send("{'type':'$hello','data':{}}");
        assertEquals(CloseReason.UNAUTHORIZED, managed.closeCode());
        assertEquals(List.of(), life);
    }

    // ------------------------------------------------------------ rooms

    @Test
    void membersReceiveInOrderWithOffsets() {
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        ann.send("{'type':'$join','room':'chat:1','ref':'j'}");
        JsonObject joined = ann.next("$reply");
        assertEquals("j", joined.get("ref").getAsString());
        assertEquals(0, joined.getAsJsonObject("data").get("offset").getAsLong());
        bob.send("{'type':'$join','room':'chat:1','ref':'j'}");
        for (int i = 1; i <= 3; i++) {
            ann.send("{'type':'say','room':'chat:1','data':{'text':'m" + i + "'}}");
        }
        for (int i = 1; i <= 3; i++) {
            JsonObject said = bob.next("said");
            assertEquals(i, said.get("offset").getAsLong());
            assertEquals("ann", said.get("from").getAsString());
            assertEquals("chat:1", said.get("room").getAsString());
            assertEquals("m" + i, said.getAsJsonObject("data").get("text").getAsString());
        }
    }

    @Test
    void joiningIsDeniedUnlessTheRuleAllowsIt() {
        TestPeer ann = test.plain("ann");
        assertEquals("forbidden", ann.errorOf("{'type':'$join','room':'vault','ref':'1'}"));
        assertEquals("forbidden", ann.errorOf("{'type':'say','room':'chat:1','data':{'text':'x'}}"));
        assertEquals("forbidden", ann.errorOf("{'type':'say','room':'@all','data':{'text':'x'}}"));
        assertEquals("bad_data", ann.errorOf("{'type':'$join','room':'@user','ref':'1'}"));
        assertEquals("bad_data", ann.errorOf("{'type':'$join','ref':'1'}"));
        assertEquals("forbidden", ann.errorOf("{'type':'$history','room':'vault','ref':'1'}"));
        assertEquals(List.of(), handled);
    }

    @Test
    void sendRuleDecidesWhoMaySendToARoom() {
        start(builder -> builder.allowSend((session, event, room) ->
                event.equals(SAY) && session.user().id().equals("root")));
        TestPeer root = test.plain("root");
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1'}");
        root.send("{'type':'say','ref':'r','room':'chat:1','data':{'text':'x'}}");
        assertEquals(List.of("x"), handled, "a rule of the application replaces membership");
        assertEquals("forbidden", root.data("$error").get("code").getAsString(), "session.room() still asks for it");
        assertEquals("forbidden", ann.errorOf("{'type':'say','room':'chat:1','data':{'text':'y'}}"));
        assertEquals(List.of("x"), handled);
    }

    @Test
    void serverWithoutAJoinRuleNamesIt() {
        test.close();
        test = new TestServer(TestServer::byName, builder -> builder);
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        assertTrue(ann.data("$error").get("message").getAsString().contains("allowJoin"));
    }

    @Test
    void joinReplaysHistoryBehindItsReply() {
        for (int i = 1; i <= 5; i++) {
            test.server.room("chat:1").send(SAID, new Said("x", "m" + i));
        }
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'j','data':{'history':2}}");
        assertEquals(List.of("$reply", "said", "said"), ann.types());
        JsonObject reply = ann.data("$reply");
        assertEquals(3, reply.get("offset").getAsLong());
        assertEquals(4, ann.next("said").get("offset").getAsLong());
        assertEquals(5, ann.next("said").get("offset").getAsLong());
    }

    @ParameterizedTest
    @CsvSource({"2,true,", "5,true,", "6,false,ahead", "0,true,"})
    void joinSinceAPositionRecoversOrSaysWhyNot(long offset, boolean recovered, String reason) {
        String epoch = "";
        for (int i = 1; i <= 5; i++) {
            epoch = publish("m" + i).epoch();
        }
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'j','data':{'since':['" + epoch + "'," + offset + "]}}");
        JsonObject reply = ann.data("$reply");
        assertEquals(recovered, reply.get("recovered").getAsBoolean());
        assertEquals(reason, reply.has("reason") ? reply.get("reason").getAsString() : null);
        assertEquals(recovered ? offset : 5, reply.get("offset").getAsLong());
        assertEquals(recovered ? 5 - offset : 0, ann.types().size());
    }

    @Test
    void trimmedAndForeignPositionsAreNotRecovered() {
        start(builder -> builder.retention(new Retention(2, Duration.ofMinutes(1))));
        String epoch = "";
        for (int i = 1; i <= 5; i++) {
            epoch = publish("m" + i).epoch();
        }
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1','ref':'j','data':{'since':['" + epoch + "',2]}}");
        assertEquals("trimmed", ann.data("$reply").get("reason").getAsString());
        ann.send("{'type':'$join','room':'chat:1','ref':'j','data':{'since':['other',5]}}");
        assertEquals("epoch", ann.data("$reply").get("reason").getAsString());
        test.time.advance(Duration.ofMinutes(2));
        TestPeer bob = test.plain("bob");
        bob.send("{'type':'$join','room':'chat:1','ref':'j','data':{'since':['" + epoch + "',5]}}");
        assertTrue(bob.data("$reply").get("recovered").getAsBoolean(), "the top of an empty log is recovered");
    }

    @Test
    void historyIsReadInPages() {
        for (int i = 1; i <= 5; i++) {
            test.server.room("chat:1").send(SAID, new Said("x", "m" + i));
        }
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$history','room':'chat:1','ref':'h','data':{'limit':2}}");
        JsonObject newest = ann.data("$reply");
        assertTrue(newest.get("more").getAsBoolean());
        assertEquals(
                4,
                newest.getAsJsonArray("messages")
                        .get(0)
                        .getAsJsonObject()
                        .get("offset")
                        .getAsLong());
        ann.send("{'type':'$history','room':'chat:1','ref':'h','data':{'before':4,'limit':10}}");
        JsonObject older = ann.data("$reply");
        assertFalse(older.get("more").getAsBoolean());
        assertEquals(3, older.getAsJsonArray("messages").size());
        ann.send("{'type':'$history','room':'chat:1','ref':'h','data':{'after':3,'limit':1}}");
        JsonObject next = ann.data("$reply");
        assertTrue(next.get("more").getAsBoolean());
        assertEquals(
                4,
                next.getAsJsonArray("messages")
                        .get(0)
                        .getAsJsonObject()
                        .get("offset")
                        .getAsLong());
    }

    @Test
    void excludedAndFilteredSessionsNeverSeeTheMessageNotEvenInHistory() {
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        ann.send("{'type':'$join','room':'chat:1'}");
        bob.send("{'type':'$join','room':'chat:1'}");
        Session annSession = session("ann");
        test.server.room("chat:1").except(annSession).send(SAID, new Said("x", "not ann"));
        test.server
                .room("chat:1")
                .filter(session -> session.user().id().equals("ann"))
                .send(SAID, new Said("x", "only ann"));
        test.settle();
        assertEquals(2, ann.next("said").get("offset").getAsLong());
        assertEquals(1, bob.next("said").get("offset").getAsLong());
        assertFalse(ann.types().contains("said"));
        assertFalse(bob.types().contains("said"));
        bob.send("{'type':'$history','room':'chat:1','ref':'h'}");
        ann.received.clear();
        bob.received.removeIf(
                frame -> !frame.has("ref") || !frame.get("ref").getAsString().equals("h"));
        assertEquals(1, bob.data("$reply").getAsJsonArray("messages").size());
    }

    @Test
    void leavingEndsTheDelivery() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1'}");
        ann.send("{'type':'$leave','room':'chat:1','ref':'l'}");
        test.server.room("chat:1").send(SAID, new Said("x", "late"));
        test.settle();
        assertFalse(ann.types().contains("said"));
        assertEquals(0, test.server.room("chat:1").size());
    }

    @Test
    void usersSessionsAndEveryoneAreReached() {
        TestPeer phone = test.plain("ann");
        TestPeer tab = test.managed("ann");
        TestPeer bob = test.plain("bob");
        test.server.user("ann").send(SAID, new Said("x", "to ann"));
        test.server.connections().broadcast(SAID, new Said("x", "to all"));
        test.settle();
        for (TestPeer of : List.of(phone, tab)) {
            assertEquals("@user", of.next("said").get("room").getAsString());
            assertEquals("@all", of.next("said").get("room").getAsString());
        }
        assertEquals("@all", bob.next("said").get("room").getAsString());
        assertFalse(bob.types().contains("said"));
        session("bob").send(SAID, new Said("x", "to this session"));
        test.settle();
        assertEquals("@session", bob.next("said").get("room").getAsString());
        assertEquals(2, test.server.user("ann").sessions().size());
        assertEquals(2, test.server.connections().userCount());
    }

    @Test
    void serverPutsASessionInARoomAndTakesItOut() {
        TestPeer ann = test.plain("ann");
        session("ann").join("vip");
        test.settle();
        assertEquals("vip", ann.next("$joined").get("room").getAsString());
        test.server.room("vip").send(SAID, new Said("x", "hello"));
        test.settle();
        ann.next("said");
        session("ann").leave("vip");
        test.settle();
        ann.next("$left");
    }

    // ------------------------------------------------------------ reliability

    @Test
    void acknowledgesAfterTheHandlerWithin100MsAndProcessesARepeatOnce() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'say','seq':1,'data':{'text':'one'}}");
        ann.send("{'type':'say','seq':3,'data':{'text':'three'}}");
        assertEquals(List.of(), ann.types());
        test.time.advance(Duration.ofMillis(100));
        assertEquals(3, ann.data("$ack").get("seq").getAsLong());
        ann.send("{'type':'say','seq':3,'redelivered':true,'data':{'text':'three'}}");
        ann.send("{'type':'say','seq':2,'redelivered':true,'data':{'text':'two'}}");
        test.time.advance(Duration.ofMillis(100));
        assertEquals(3, ann.data("$ack").get("seq").getAsLong());
        assertEquals(List.of("one", "three"), handled);
    }

    @Test
    void newSessionOfTheSameClientIsToldWhatWasProcessed() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'say','seq':7,'data':{'text':'seven'}}");
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        JsonObject welcome = again.data("$welcome");
        assertEquals(7, welcome.get("seq").getAsLong());
        assertTrue(welcome.get("known").getAsBoolean());
        assertFalse(welcome.get("resumed").getAsBoolean());
    }

    @Test
    void resumedSessionKeepsRoomsAndAttributesAndReplaysWhatItMissed() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345'}}");
        JsonObject welcome = ann.data("$welcome");
        String secret = welcome.get("session").getAsString();
        ann.send("{'type':'$join','room':'chat:1','ref':'j'}");
        String epoch = ann.data("$reply").get("epoch").getAsString();
        session("ann").attributes().put("role", "admin");
        ann.cut();
        assertFalse(session("ann").isConnected());
        test.server.room("chat:1").send(SAID, new Said("x", "missed"));
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345','session':'" + secret
                + "','positions':{'chat:1':['" + epoch + "',0]}}}");
        JsonObject resumed = again.data("$welcome");
        assertTrue(resumed.get("resumed").getAsBoolean());
        JsonObject room = resumed.getAsJsonObject("rooms").getAsJsonObject("chat:1");
        assertTrue(room.get("recovered").getAsBoolean());
        assertEquals("missed", again.data("said").get("text").getAsString());
        assertEquals("admin", session("ann").attributes().get("role"));
        assertEquals(List.of("open ann", "detach ann 1006", "resume ann"), life);
    }

    @Test
    void newerConnectionTakesTheSessionOver() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345','session':'" + secret + "'}}");
        assertTrue(again.data("$welcome").get("resumed").getAsBoolean());
        assertEquals(CloseReason.SESSION_REPLACED, ann.closeCode());
        assertEquals(1, test.server.connections().sessionCount());
        test.server.user("ann").send(SAID, new Said("x", "once"));
        test.settle();
        again.next("said");
    }

    @Test
    void olderOfTwoConnectionsDoesNotTakeTheSessionBack() {
        CompletableFuture<Authentication> slowProof = new CompletableFuture<>();
        start(
                builder -> builder,
                credentials -> "slow".equals(credentials.token())
                        ? slowProof
                        : CompletableFuture.completedFuture(Authentication.of("ann")));
        TestPeer first = test.connect("realtime.v1", "/ws");
        first.send("{'type':'$hello','data':{'token':'first'}}");
        String secret = first.data("$welcome").get("session").getAsString();
        TestPeer slow = test.connect("realtime.v1", "/ws");
        slow.send("{'type':'$hello','data':{'token':'slow','session':'" + secret + "'}}");
        TestPeer quick = test.connect("realtime.v1", "/ws");
        quick.send("{'type':'$hello','data':{'token':'quick','session':'" + secret + "'}}");
        assertTrue(quick.data("$welcome").get("resumed").getAsBoolean());
        slowProof.complete(Authentication.of("ann"));
        test.settle();
        assertEquals(CloseReason.SESSION_REPLACED, slow.closeCode());
        assertNull(quick.closed);
    }

    @Test
    void resumeAsksTheJoinRuleAgainButNotAboutRoomsTheApplicationChose() {
        List<String> allowed = new ArrayList<>(List.of("chat:1"));
        start(builder -> builder.allowJoin((session, room) -> allowed.contains(room)));
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        ann.send("{'type':'$join','room':'chat:1'}");
        session("ann").join("vip");
        allowed.clear();
        ann.cut();
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','session':'" + secret + "'}}");
        JsonObject rooms = again.data("$welcome").getAsJsonObject("rooms");
        assertEquals(
                "unauthorized", rooms.getAsJsonObject("chat:1").get("reason").getAsString());
        assertTrue(rooms.has("vip") && !rooms.getAsJsonObject("vip").has("reason"), rooms.toString());
        assertEquals(Set.of("vip"), session("ann").rooms());
    }

    @Test
    void sessionOfAnotherUserIsNotResumed() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'c-0123456789012345'}}");
        String secret = ann.data("$welcome").get("session").getAsString();
        TestPeer mallory = test.connect("realtime.v1", "/ws");
        mallory.send("{'type':'$hello','data':{'token':'mallory','session':'" + secret + "'}}");
        JsonObject welcome = mallory.data("$welcome");
        assertFalse(welcome.get("resumed").getAsBoolean());
        assertNotEquals(secret, welcome.get("session").getAsString());
        assertNull(ann.closed);
    }

    @Test
    void lostSessionEndsAfterItsTimeToLiveAndAPlainOneAtOnce() {
        test.managed("ann").cut();
        test.plain("bob").cut();
        assertEquals(1, test.server.connections().sessionCount());
        test.time.advance(Duration.ofMinutes(5));
        assertEquals(0, test.server.connections().sessionCount());
        assertTrue(life.containsAll(List.of("close bob 1006", "close ann 1006")), life.toString());
    }

    // ------------------------------------------------------------ requests and errors

    @Test
    void requestGetsItsDataBackUnchanged() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'echo','ref':'r1','data':{'a':[1,2.50,null,'<&>'],'big':9007199254740993}}");
        JsonObject reply = ann.next("$reply");
        assertEquals("r1", reply.get("ref").getAsString());
        assertEquals(
                "{\"a\":[1,2.50,null,\"<&>\"],\"big\":9007199254740993}",
                reply.get("data").toString());
        ann.send("{'type':'echo','ref':'r2'}");
        assertTrue(ann.next("$reply").get("data").isJsonNull());
    }

    @Test
    void managedReplyTravelsThroughTheSessionsInbox() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'echo','ref':'r','seq':1,'data':1}");
        JsonObject reply = ann.next("$reply");
        assertEquals("@session", reply.get("room").getAsString());
        assertEquals(1, reply.get("offset").getAsLong());
    }

    @Test
    void asynchronousReplyHoldsUpNothing() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'later','ref':'slow','data':1}");
        ann.send("{'type':'echo','ref':'quick','data':1}");
        assertEquals("quick", ann.next("$reply").get("ref").getAsString());
        later.complete(5);
        test.settle();
        JsonObject reply = ann.next("$reply");
        assertEquals("slow", reply.get("ref").getAsString());
        assertEquals(5, reply.get("data").getAsInt());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "nonsense | bad_message",
                "[] | bad_message",
                "{'data':1} | bad_message",
                "{'type':'no good'} | bad_message",
                "{'type':'say','seq':'1'} | bad_message",
                "{'type':'$nothing'} | unknown_type",
                "{'type':'nothing','ref':'r'} | no_handler",
                "{'type':'nothing','seq':1} | no_handler",
                "{'type':'say','data':{'text':1}} | bad_data",
                "{'type':'say','data':{}} | bad_data",
                "{'type':'say'} | bad_data",
                "{'type':'echo','data':1} | bad_message",
                "{'type':'fail'} | internal",
                "{'type':'unwritable'} | internal",
                "{'type':'refuse','ref':'r'} | sold_out",
                "{'type':'$join','room':'chat:1','data':{'since':5}} | bad_data",
                "{'type':'$history','room':'chat:1','data':{'limit':'x'}} | bad_data",
            })
    void badInputIsToldAndTheConnectionStays(String json, String code) {
        TestPeer ann = test.plain("ann");
        assertEquals(code, ann.errorOf(json));
        ann.send("{'type':'echo','ref':'r','data':1}");
        ann.next("$reply");
        assertNull(ann.closed);
    }

    @Test
    void errorNamesTheSeqAndTheMessageCountsAsProcessed() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'fail','seq':1}");
        ann.send("{'type':'say','seq':2,'data':{'text':5}}");
        JsonObject failed = ann.next("$error");
        assertEquals(1, failed.get("seq").getAsLong());
        assertFalse(failed.toString().contains("secret"), "details stay in the log");
        JsonObject unfit = ann.next("$error");
        assertEquals(2, unfit.get("seq").getAsLong());
        assertTrue(unfit.toString().contains("$.text"), unfit.toString());
        test.time.advance(Duration.ofMillis(100));
        assertEquals(2, ann.data("$ack").get("seq").getAsLong());
        assertTrue(life.contains("error secret detail"));
    }

    @Test
    void payloadsOwnWordsReachTheSender() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'say','data':{}}");
        assertEquals("text is required", ann.data("$error").get("message").getAsString());
    }

    @Test
    void unhandledEventWithoutAskerIsIgnored() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'nothing'}");
        assertEquals(List.of(), ann.types());
    }

    @Test
    void tenthBadMessageWithinAMinuteCloses() {
        TestPeer ann = test.plain("ann");
        for (int i = 0; i < 9; i++) {
            ann.send("nonsense");
        }
        assertNull(ann.closed);
        ann.send("nonsense");
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
        TestPeer bob = test.plain("bob");
        for (int i = 0; i < 9; i++) {
            bob.send("nonsense");
        }
        test.time.advance(Duration.ofSeconds(61));
        bob.send("nonsense");
        assertNull(bob.closed);
    }

    @Test
    void pingIsAnsweredWithItsData() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$ping','data':{'n':1}}");
        assertEquals(1, ann.data("$pong").get("n").getAsInt());
    }

    @Test
    void pingWhoseDataCannotBeSentBackIsAnsweredByAnError() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$ping','ref':'7','data':'\\ud83d'}");
        JsonObject answer = ann.next("$error");
        assertEquals("7", answer.get("ref").getAsString());
        assertEquals("bad_data", answer.getAsJsonObject("data").get("code").getAsString());
        assertNull(ann.closed);
    }

    // ------------------------------------------------------------ bounds and time

    @Test
    void senderIsNeverWhoTheEnvelopeSays() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1'}");
        ann.send("{'type':'say','from':'root','room':'chat:1','data':{'text':'x'}}");
        assertEquals("ann", ann.next("said").get("from").getAsString());
    }

    @Test
    void mailboxThatOverflowsClosesThatPeerOnly() {
        start(builder -> builder.limits(Limits.builder().mailbox(4).inflight(2).build()));
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        for (int i = 0; i < 6; i++) {
            ann.sendRaw("{\"type\":\"say\",\"data\":{\"text\":\"m\"}}");
        }
        test.settle();
        assertEquals(CloseReason.OVERLOADED, ann.closeCode());
        bob.send("{'type':'echo','ref':'r','data':1}");
        bob.next("$reply");
    }

    @Test
    void slowReaderIsClosedAndItsMemoryBounded() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1000).outboundBytes(10_000).build()));
        TestPeer slow = test.managed("slow");
        test.network.stallClients(true);
        TestPeer quick = test.managed("quick");
        for (int i = 0; i < 100; i++) {
            test.server.all().send(SAID, new Said("x", "y".repeat(200)));
            test.settle();
        }
        test.network.stallClients(false);
        test.time.advance(Duration.ofSeconds(6));
        assertEquals(CloseReason.SLOW_CONSUMER, slow.closeCode());
        assertEquals(100, quick.types().stream().filter("said"::equals).count());
    }

    @Test
    void ephemeralMessagesAreTheFirstToGo() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1000).outboundBytes(10_000).build()));
        TestPeer slow = test.managed("slow");
        test.network.stallClients(true);
        for (int i = 0; i < 100; i++) {
            test.server.all().send(TYPING, new Said("x", "y".repeat(200)));
            test.settle();
        }
        test.network.stallClients(false);
        test.settle();
        assertNull(slow.closed);
        int arrived = slow.types().size();
        assertTrue(arrived > 10 && arrived < 40, "arrived " + arrived);
        assertFalse(slow.next("typing").has("offset"));
    }

    @Test
    void silentPeerIsClosedAtTheTimeout() {
        TestPeer ann = test.plain("ann");
        test.network.blackHole(true);
        test.time.advance(Duration.ofSeconds(61));
        test.time.advance(Duration.ofSeconds(30));
        assertEquals(0, test.server.connections().connectionCount());
        test.network.blackHole(false);
        ann.cut();
    }

    @Test
    void peerThatAnswersPingsStays() {
        TestPeer ann = test.plain("ann");
        test.time.advance(Duration.ofMinutes(10));
        assertNull(ann.closed);
    }

    @Test
    void closeSaysGoodbyeAndRefusesNewcomers() {
        TestPeer ann = test.managed("ann");
        test.server.close(Duration.ZERO);
        test.settle();
        assertEquals(
                100, ann.data("$goodbye").getAsJsonObject("retry").get("maxMs").getAsLong());
        assertEquals(CloseReason.DRAINING, ann.closeCode());
        assertNotNull(test.connect("", "/ws?token=bob").failed);
    }

    @Test
    void builderRefusesWhatContradicts() {
        assertThrows(IllegalStateException.class, () -> RealtimeServer.builder().build());
        RealtimeServer.Builder builder = RealtimeServer.builder().on(SAY, (session, message) -> {});
        IllegalArgumentException twice =
                assertThrows(IllegalArgumentException.class, () -> builder.on(SAY, (session, message) -> {}));
        assertEquals("'say' has a handler already", twice.getMessage());
        assertThrows(IllegalArgumentException.class, () -> builder.port(70_000));
        assertThrows(IllegalArgumentException.class, () -> builder.path("ws"));
        IllegalArgumentException limits = assertThrows(
                IllegalArgumentException.class,
                () -> Limits.builder().mailbox(10).inflight(6).build());
        assertTrue(
                String.valueOf(limits).contains("inflight 6 is more than half of mailbox 10"), String.valueOf(limits));
    }

    private Position publish(String text) {
        return Objects.requireNonNull(test.server.room("chat:1").send(SAID, new Said("x", text)));
    }

    private Session session(String user) {
        return test.server.user(user).sessions().get(0);
    }
}
