package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a peer cannot do: act before it is known, become another user, reach what is another's. */
class IntruderTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<String> NEWS = Event.of("news", String.class);

    private final List<String> handled = new ArrayList<>();
    private final List<CompletableFuture<Authentication>> asked = new ArrayList<>();
    private TestServer test = start(TestServer::byName);

    private TestServer start(Authenticator authenticator) {
        return new TestServer(
                authenticator,
                builder -> builder.allowJoin((session, room) -> true)
                        .allowSend((session, event, room) -> true)
                        .on(
                                SAY,
                                (session, message) -> handled.add(session.user().id() + " " + message.data())));
    }

    @AfterEach
    void close() {
        test.close();
    }

    @Test
    void messagesOfAPeerThatIsRefusedAreNotHandled() {
        test.close();
        test = start(credentials -> {
            asked.add(new CompletableFuture<>());
            return asked.get(asked.size() - 1);
        });
        TestPeer managed = test.connect("realtime.v1", "/ws");
        managed.send("{'type':'$hello','data':{'token':'ann'}}");
        TestPeer plain = test.connect("", "/ws?token=ann");
        for (TestPeer peer : List.of(managed, plain)) {
            peer.send("{'type':'$join','room':'chat:1','ref':'1'}");
            peer.send("{'type':'say','ref':'2','data':'early'}");
            peer.send("{'type':'$history','room':'chat:1','ref':'3'}");
        }
        asked.forEach(
                answer -> answer.completeExceptionally(new RealtimeException(ErrorCode.UNAUTHORIZED, "no such user")));
        test.settle();
        for (TestPeer peer : List.of(managed, plain)) {
            assertEquals(List.of("$error"), peer.types());
            assertEquals(CloseReason.UNAUTHORIZED, peer.closeCode());
        }
        assertEquals(List.of(), handled);
        assertEquals(0, test.server.stats().sessions());
    }

    @Test
    void tokenOfAnotherUserDoesNotRefreshSessionOrChangeItsUser() {
        test.close();
        test = start(
                credentials -> CompletableFuture.completedFuture(Authentication.of(String.valueOf(credentials.token()))
                        .withExpiry(Instant.ofEpochMilli(test.time.currentTimeMillis() + 60_000))));
        TestPeer ann = test.managed("ann");
        test.time.advance(Duration.ofSeconds(30));
        assertEquals("unauthorized", ann.errorOf("{'type':'$auth','ref':'1','data':{'token':'bob'}}"));
        ann.send("{'type':'say','data':'who am I'}");
        assertEquals(List.of("ann who am I"), handled);
        test.time.advance(Duration.ofSeconds(31));
        assertEquals(CloseReason.TOKEN_EXPIRED, ann.closeCode());
    }

    @Test
    void secondHelloChangesNothing() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$hello','data':{'token':'bob'}}");
        ann.send("{'type':'say','data':'who am I'}");
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
        assertEquals(List.of(), handled);
        assertFalse(test.server.connections().user("bob").isOnline());
    }

    /** Whatever the join rule says: here it allows everything. */
    @ParameterizedTest
    @ValueSource(
            strings = {"@user:bob", "@session:BOB", "@user:", "@session:", "@all", "@user", "@session", "@", "@@all"})
    void inboxesAreNoRoomsToJoinOrToSendTo(String name) {
        TestPeer bob = test.managed("bob");
        TestPeer ann = test.managed("ann");
        String room = name.replace(
                "BOB", test.server.connections().user("bob").sessions().get(0).id());
        test.server.connections().user("bob").send(NEWS, "for bob alone");
        test.settle();
        assertEquals("bad_data", ann.errorOf("{'type':'$join','ref':'1','room':'" + room + "'}"));
        assertEquals("bad_data", ann.errorOf("{'type':'$leave','ref':'2','room':'" + room + "'}"));
        assertEquals("forbidden", ann.errorOf("{'type':'say','ref':'3','room':'" + room + "','data':'x'}"));
        ann.send("{'type':'$history','ref':'4','room':'" + room + "'}");
        JsonObject answer = ann.received().get(ann.received().size() - 1);
        assertFalse(answer.toString().contains("for bob alone"), answer.toString());
        assertEquals("for bob alone", bob.next("news").get("data").getAsString());
        assertTrue(ann.received().stream().noneMatch(frame -> frame.toString().contains("for bob alone")));
        assertEquals(List.of(), handled);
        assertNull(ann.closed());
    }
}
