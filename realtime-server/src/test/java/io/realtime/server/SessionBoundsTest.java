package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.connection.PeerAcceptor;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.server.internal.session.SessionTable;
import io.realtime.spi.Handshake;
import io.realtime.testing.ManualScheduler;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** How many sessions there may be: without a connection, draining, and in all. */
class SessionBoundsTest {
    private static final Event<String> NOTE = Event.of("note", String.class);

    private final List<String> handled = new ArrayList<>();
    private TestServer test = newServer(limits -> limits);

    private TestServer newServer(UnaryOperator<Limits.Builder> limits) {
        return new TestServer(
                TestServer::byName,
                b -> b.limits(limits.apply(Limits.builder()).build())
                        .on(NOTE, (session, note) -> handled.add(note.data())));
    }

    private void start(UnaryOperator<Limits.Builder> limits) {
        test.close();
        test = newServer(limits);
    }

    @AfterEach
    void stop() {
        test.close();
    }

    private TestPeer hello(String user, int client, String more) {
        TestPeer peer = test.connect(Protocol.SUBPROTOCOL, "/ws");
        peer.send("{'type':'$hello','data':{'token':'" + user + "','client':'client-" + client + "-0123456789'" + more
                + "}}");
        return peer;
    }

    private TestPeer hello(String user, int client) {
        return hello(user, client, "");
    }

    private boolean isResumed(String user, int client, String secret) {
        return hello(user, client, ",'session':'" + secret + "'")
                .data("$welcome")
                .get("resumed")
                .getAsBoolean();
    }

    private static String secret(TestPeer peer) {
        return peer.data("$welcome").get("session").getAsString();
    }

    /** Leaves messages that wait for their turn by the rate limit. */
    private static void sendMore(TestPeer peer) {
        for (int seq = 1; seq <= 3; seq++) {
            peer.send("{'type':'note','seq':" + seq + ",'data':'" + seq + "'}");
        }
    }

    /** Closes for good: the session drains. */
    private void leave(TestPeer peer) {
        peer.close("bye");
        test.settle();
    }

    private int sessions() {
        return test.server.stats().sessions();
    }

    @Test
    void abortedSessionsStayWithinTheLimit() {
        start(limits -> limits.sessions(10));
        for (int i = 0; i < 50; i++) {
            TestPeer peer = hello("user" + i, 0);
            peer.next("$welcome");
            peer.cut();
        }
        assertEquals(10, sessions());
    }

    @Test
    void longestDetachedSessionEndsFirst() {
        start(limits -> limits.sessions(2));
        TestPeer ann = hello("ann", 0);
        TestPeer bob = hello("bob", 0);
        bob.cut();
        ann.cut();
        hello("cid", 0).next("$welcome");
        assertEquals(2, sessions());
        assertTrue(isResumed("ann", 0, secret(ann)));
        assertEquals(List.of(), test.server.connections().user("bob").sessions());
    }

    @Test
    void floodOfOneUserEndsNoSessionOfAnother() {
        start(limits -> limits.sessions(10));
        TestPeer ann = hello("ann", 0);
        ann.cut();
        for (int i = 0; i < 50; i++) {
            hello("eve", i).cut();
        }
        assertEquals(10, sessions());
        assertTrue(isResumed("ann", 0, secret(ann)));
    }

    @Test
    void newcomerIsRefusedWhenAllSessionsAreConnected() {
        start(limits -> limits.sessions(2));
        TestPeer ann = hello("ann", 0);
        TestPeer bob = hello("bob", 0);
        assertEquals(CloseReason.OVERLOADED, hello("cid", 0).closeCode());
        assertNull(ann.closed());
        assertNull(bob.closed());
        assertEquals(2, sessions());
        bob.cut();
        assertNotNull(hello("cid", 0).next("$welcome"));
    }

    private static ServerSession login(SessionTable table, String user) {
        Handshake handshake =
                new Handshake("/ws", "", Map.of(), new InetSocketAddress(InetAddress.getLoopbackAddress(), 1));
        return table.newSession(Authentication.of(user), false, null, handshake);
    }

    /** Has each ask for its place; returns how many have one. */
    private static long haveAPlace(SessionTable table, List<ServerSession> entered) {
        List<ServerSession> places = new ArrayList<>(entered);
        places.removeIf(session -> table.makeRoomFor(session) != null);
        return places.stream().filter(ServerSession::isOpen).count();
    }

    private static SessionTable table(DirectTransport transport, Limits limits) {
        ManualScheduler time = new ManualScheduler();
        RealtimeServer unused = RealtimeServer.builder()
                .transport(transport)
                .scheduler(time)
                .executor(Runnable::run)
                .authenticator(TestServer::byName)
                .limits(limits)
                .build()
                .start();
        return ((PeerAcceptor) transport.acceptor()).table();
    }

    @ParameterizedTest
    @EnumSource(SessionOverflow.class)
    void twoLoginsOfAUserAtOnceKeepItsLimit(SessionOverflow overflow) {
        SessionTable table = table(
                new DirectTransport(),
                Limits.builder().sessionsPerUser(1, overflow).build());
        ServerSession slow = login(table, "ann");
        ServerSession quick = login(table, "ann");
        quick.register();
        assertEquals(1, haveAPlace(table, List.of(quick)));
        slow.register(); // begun first, and in the tables last
        boolean isRefused = table.makeRoomFor(slow) != null;
        assertTrue(isRefused || quick.hasEnded(), "one of them goes");
        assertTrue(isRefused ? quick.isOpen() : slow.isOpen(), "the other stays");
    }

    @Test
    void lastPlaceOfTheServerGoesToOneOfTwoLogins() {
        DirectTransport transport = new DirectTransport();
        SessionTable table = table(transport, Limits.builder().sessions(2).build());
        transport.open("token=cid", null);
        List<ServerSession> entered = List.of(login(table, "ann"), login(table, "bob"));
        entered.forEach(ServerSession::register);
        assertEquals(1, haveAPlace(table, entered));
        CloseReason over = new CloseReason(CloseReason.NORMAL, "over");
        entered.forEach(session -> session.end(over, ServerSession.EndReason.AT_ONCE));
        List<ServerSession> next = List.of(login(table, "ann"), login(table, "bob"));
        next.forEach(ServerSession::register);
        assertEquals(1, haveAPlace(table, next), "a place is given back once");
    }

    @Test
    void drainingSessionsOfAUserAreBounded() {
        start(limits -> limits.sessionsPerUser(3).rate(RateLimit.perMinute(1)));
        List<Integer> codes = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            TestPeer peer = hello("eve", i);
            if (peer.closed() == null) {
                sendMore(peer);
                leave(peer);
            } else {
                codes.add(peer.closeCode());
            }
        }
        assertTrue(sessions() <= 6, () -> sessions() + " sessions");
        assertTrue(codes.contains(CloseReason.OVERLOADED), codes.toString());
        assertNotNull(hello("ann", 0).next("$welcome"), "nobody else is concerned");
    }

    /** Has sessions of one user, each with a message more than the user's rate allows now. */
    private List<TestPeer> holdSessions(int count) {
        List<TestPeer> peers = new ArrayList<>();
        for (int client = 0; client < count; client++) {
            TestPeer peer = hello("eve", client);
            peer.post("{'type':'note','seq':1,'data':'" + client + "'}");
            peers.add(peer);
        }
        test.settle();
        return peers;
    }

    @Test
    void heldSessionsOfAUserWakeOnceForEachMessage() {
        AtomicInteger runs = new AtomicInteger();
        test.close();
        test = new TestServer(
                TestServer::byName,
                b -> b.limits(Limits.builder()
                                .ratePerUser(RateLimit.perMinute(60).withBurst(1))
                                .build())
                        .executor(task -> {
                            runs.incrementAndGet();
                            test.time.execute(task);
                        })
                        .on(NOTE, (session, note) -> handled.add(note.data())));
        holdSessions(100);
        int before = runs.get();
        int first = handled.size();
        test.time.advance(Duration.ofSeconds(30));
        assertEquals(first + 30, handled.size());
        int each = (runs.get() - before) / 30;
        assertTrue(each <= 10, () -> each + " runs for each message");
        test.time.advance(Duration.ofSeconds(70));
        assertEquals(100, handled.size());
        assertEquals(
                handled.stream().sorted(Comparator.comparing(Integer::valueOf)).toList(),
                handled,
                "they take turns in the order in which they came");
    }

    @Test
    void droppedMessagesGiveTheUsersRateBack() {
        start(limits -> limits.ratePerUser(RateLimit.perMinute(60).withBurst(1)));
        holdSessions(50);
        int before = handled.size();
        test.server.connections().user("eve").disconnect("enough");
        test.settle();
        TestPeer next = hello("eve", 99);
        say(next, 1);
        test.time.advance(Duration.ofSeconds(2));
        assertEquals(before + 1, handled.size());
        for (int seq = 2; seq < 20; seq++) {
            say(next, seq);
        }
        int then = handled.size();
        test.time.advance(Duration.ofSeconds(10));
        assertEquals(then + 10, handled.size(), "and no more than the rate");
    }

    @Test
    void drainingSessionsOfAClientAreBounded() {
        start(limits -> limits.rate(RateLimit.perMinute(1)));
        TestPeer last = hello("eve", 0);
        sendMore(last);
        for (int i = 0; i < 20; i++) {
            last = hello("eve", 0);
        }
        assertEquals(4, sessions());
        assertEquals(CloseReason.OVERLOADED, last.closeCode());
        test.time.advance(Duration.ofMinutes(5));
        assertEquals(List.of("1", "2", "3"), handled);
        assertNotNull(hello("eve", 0).next("$welcome"), "what it had sent is handled");
    }

    @Test
    void fullMailboxRefusesANewSessionOfItsClient() {
        start(limits -> limits.rate(RateLimit.perMinute(1)).mailbox(4).inflight(2));
        TestPeer first = hello("eve", 0);
        first.next("$welcome");
        for (int seq = 1; seq <= 5; seq++) {
            first.send("{'type':'note','seq':" + seq + ",'data':'" + seq + "'}");
        }
        assertEquals(CloseReason.OVERLOADED, hello("eve", 0).closeCode());
        assertNull(first.closed());
        assertEquals(1, sessions());
    }

    @Test
    void evictedSessionsMessagesAreHandledWhenSentAgain() {
        start(limits -> limits.sessions(1).rate(RateLimit.perMinute(1)));
        TestPeer ann = hello("ann", 0);
        sendMore(ann);
        ann.cut();
        TestPeer bob = hello("bob", 0);
        bob.next("$welcome");
        bob.cut();
        test.time.advance(Duration.ofMinutes(4));
        assertEquals(List.of("1"), handled);
        TestPeer again = hello("ann", 0);
        JsonObject welcome = again.data("$welcome");
        assertEquals(1, welcome.get("seq").getAsLong());
        sendMore(again);
        test.time.advance(Duration.ofMinutes(4));
        assertEquals(List.of("1", "2", "3"), handled);
        assertEquals(0, test.server.stats().waiting());
    }

    @Test
    void evictedDrainingSessionLeavesItsRoomsAtOnce() {
        start(limits -> limits.sessions(1).rate(RateLimit.perMinute(1)));
        TestPeer ann = hello("ann", 0);
        test.server.connections().user("ann").sessions().get(0).join("hall");
        sendMore(ann);
        leave(ann);
        assertEquals(1, sessions());
        assertNotNull(hello("bob", 0).next("$welcome"));
        assertEquals(1, sessions());
        assertEquals(0, test.server.connections().room("hall").localMembers().size());
        assertEquals(0, test.server.stats().waiting());
    }

    /** A session that drains, in a room, with messages that wait; its client goes on with another. */
    private ServerSession replaced() {
        TestPeer former = hello("ann", 0);
        ServerSession draining =
                (ServerSession) test.server.connections().user("ann").sessions().get(0);
        draining.join("hall");
        sendMore(former);
        return draining;
    }

    private static void say(TestPeer peer, int seq) {
        peer.send("{'type':'note','seq':" + seq + ",'data':'" + seq + "'}");
    }

    @Test
    void drainingSessionOfAConnectedClientIsEvicted() {
        start(limits -> limits.sessions(2).rate(RateLimit.perMinute(1)));
        ServerSession draining = replaced();
        TestPeer next = hello("ann", 0);
        assertEquals(2, sessions());
        assertNotNull(hello("bob", 0).next("$welcome"));
        assertEquals(2, sessions());
        assertTrue(draining.isOver());
        assertNull(next.closed());
        say(next, 4);
        test.time.advance(Duration.ofMinutes(5));
        assertEquals(List.of("1", "2", "3", "4"), handled);
    }

    @Test
    void endOfAReplacedSessionDropsNothingOfTheNextOne() {
        start(limits -> limits.rate(RateLimit.perMinute(1)));
        ServerSession draining = replaced();
        TestPeer next = hello("ann", 0);
        say(next, 4);
        draining.end(new CloseReason(CloseReason.TOO_MANY_SESSIONS, "one too many"), ServerSession.EndReason.AT_ONCE);
        say(next, 5);
        test.time.advance(Duration.ofMinutes(6));
        assertEquals(List.of("1", "2", "3", "4", "5"), handled);
        assertEquals(0, test.server.stats().waiting());
    }

    @Test
    void replacedSessionIsNotEndedAsOneTooMany() {
        start(limits -> limits.rate(RateLimit.perMinute(1)));
        ServerSession draining = replaced();
        hello("ann", 0).next("$welcome");
        draining.end(new CloseReason(CloseReason.TOO_MANY_SESSIONS, "one too many"), ServerSession.EndReason.EXCESS);
        assertTrue(draining.isIn("hall"), "it drains as the member that it was");
        test.time.advance(Duration.ofMinutes(5));
        assertEquals(List.of("1", "2", "3"), handled);
        assertTrue(draining.isOver());
    }
}
