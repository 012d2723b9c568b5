package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.session.ServerSession;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The order of decisions about one session: kicks, resumes, losses, refusals. With threads: {@link SessionRacesTest}. */
class SessionLifeTest {
    private static final Event<String> SAY = Event.of("say", String.class);

    private final List<String> life = new ArrayList<>();
    private final List<String> handled = new ArrayList<>();
    private final List<CompletableFuture<Authentication>> proofs = new ArrayList<>();
    private final List<Throwable> failures = new ArrayList<>();
    private boolean checksSlowly;
    private Runnable onRule = () -> {};
    private final TestServer test = new TestServer(
            this::authenticate,
            builder -> builder.limits(Limits.builder()
                            .messageBytes(1_000)
                            .inflight(1)
                            .rate(RateLimit.none())
                            .build())
                    .allowJoin((session, room) -> {
                        onRule.run();
                        return true;
                    })
                    .on(SAY, (session, message) -> handled.add(message.data().substring(0, 2)))
                    .listener(new SessionListener() {
                        @Override
                        public void onError(Session session, Throwable failure) {
                            failures.add(failure);
                        }

                        @Override
                        public void onOpen(Session session) {
                            life.add("open");
                        }

                        @Override
                        public void onResume(Session session) {
                            life.add("resume");
                        }

                        @Override
                        public void onDetach(Session session, CloseReason reason) {
                            life.add("detach " + reason.code());
                        }

                        @Override
                        public void onClose(Session session, CloseReason reason) {
                            life.add("close " + reason.code() + " " + session.rooms() + session.isIn("chat:1"));
                        }
                    }));

    private CompletableFuture<Authentication> authenticate(Credentials credentials) {
        if (!checksSlowly) {
            return TestServer.byName(credentials);
        }
        CompletableFuture<Authentication> proof = new CompletableFuture<>();
        proofs.add(proof);
        return proof;
    }

    @AfterEach
    void close() {
        test.release();
        test.close();
    }

    private TestPeer hello(String user, String more) {
        TestPeer peer = test.connect("realtime.v1", "/ws");
        peer.send("{'type':'$hello','data':{'token':'" + user + "','client':'c-of-" + user + "'" + more + "}}");
        return peer;
    }

    private static String of(JsonObject welcome) {
        return ",'session':'" + welcome.get("session").getAsString() + "'";
    }

    private ServerSession session() {
        return (ServerSession) test.server.connections().sessions().iterator().next();
    }

    private void prove(int which) {
        proofs.get(which).complete(Authentication.of("ann"));
        test.settle();
    }

    private static void say(TestPeer peer, long seq, String text) {
        peer.post("{'type':'say','seq':" + seq + ",'data':'" + text + "'}");
    }

    // ---------------------------------------------------------------- refused, and going on

    /** It fits where the one before it did not: the mailbox is full by bytes. */
    @Test
    void messageAfterARefusedEarlyOneIsNotTaken() {
        TestPeer ann = hello("ann", "");
        JsonObject welcome = ann.data("$welcome");
        test.executor.hold();
        for (int seq = 1; seq <= 17; seq++) {
            say(ann, seq, (9 + seq) + "x".repeat(940));
        }
        test.settle();
        ann.cut();
        test.executor.pass();
        checksSlowly = true;
        TestPeer again = hello("ann", of(welcome));
        say(again, 18, "27" + "x".repeat(900));
        say(again, 19, "28");
        test.settle();
        prove(0);
        assertEquals(CloseReason.OVERLOADED, again.closeCode());
        test.release();
        assertEquals(17, handled.size(), handled::toString);
        assertFalse(handled.contains("28"), "its predecessor was refused");
        TestPeer third = hello("ann", of(welcome));
        prove(1);
        assertEquals(17, third.data("$welcome").get("seq").getAsLong());
        third.send("{'type':'say','seq':18,'redelivered':true,'data':'27'}");
        third.send("{'type':'say','seq':19,'redelivered':true,'data':'28'}");
        assertEquals(List.of("27", "28"), handled.subList(17, 19));
    }

    @Test
    void messageBeyondTheEarlyOnesOvertakesNone() {
        checksSlowly = true;
        TestPeer ann = hello("ann", "");
        for (int seq = 1; seq <= 17; seq++) {
            say(ann, seq, (9 + seq) + "x".repeat(940));
        }
        say(ann, 18, "99");
        test.settle();
        assertEquals(CloseReason.OVERLOADED, ann.closeCode());
        prove(0);
        assertEquals(List.of(), handled, "the connection was given up before it had a session");
    }

    // ---------------------------------------------------------------- disconnected meanwhile

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void kickDuringTheRuleOfAResumeIsNotUndone(boolean isUser) {
        TestPeer ann = hello("ann", "");
        JsonObject welcome = ann.data("$welcome");
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        ann.cut();
        Session kicked = session();
        onRule = () -> {
            if (isUser) {
                test.server.connections().user("ann").disconnect("out");
            } else {
                kicked.disconnect("out");
            }
        };
        TestPeer again = hello("ann", of(welcome));
        assertEquals(CloseReason.KICKED, again.closeCode());
        assertEquals(List.of(), test.server.connections().user("ann").sessions());
        assertEquals(0, test.server.connections().room("chat:1").localMembers().size());
        assertEquals(List.of("open", "detach 1006", "close 4005 [chat:1]false"), life);
    }

    @ParameterizedTest
    @ValueSource(strings = {"user", "session", "manager"})
    void kickOutlastsAnAuthenticationInProgress(String how) {
        TestPeer ann = hello("ann", "");
        JsonObject welcome = ann.data("$welcome");
        checksSlowly = true;
        TestPeer resuming = hello("ann", of(welcome));
        TestPeer anew = hello("ann", "");
        TestPeer plain = test.connect("", "/ws?token=ann");
        switch (how) {
            case "user" -> test.server.connections().user("ann").disconnect("out");
            case "session" -> session().disconnect("out");
            default -> test.server.connections().user("ann").disconnect("out");
        }
        assertEquals(0, test.server.stats().sessions());
        for (int i = 0; i < 3; i++) {
            prove(i);
        }
        assertEquals(CloseReason.KICKED, resuming.closeCode());
        assertEquals(CloseReason.KICKED, anew.closeCode());
        assertEquals(CloseReason.KICKED, ann.closeCode());
        if (how.equals("session")) {
            plain.next("$welcome"); // another client of the user
        } else {
            assertEquals(CloseReason.KICKED, plain.closeCode());
            assertEquals(0, test.server.stats().sessions());
            assertEquals(0, test.server.connections().userCount());
        }
        TestPeer later = hello("ann", "");
        prove(3);
        later.next("$welcome");
    }

    /** Each login has its part in the client's record, of which sessions that still drain may have four. */
    @Test
    void barredLoginsAreNoEarlierSessionsOfTheirClient() {
        checksSlowly = true;
        for (int i = 0; i < 6; i++) {
            TestPeer barred = hello("ann", "");
            test.server.connections().user("ann").disconnect("out");
            prove(i);
            assertEquals(CloseReason.KICKED, barred.closeCode());
        }
        TestPeer ann = hello("ann", "");
        prove(6);
        ann.next("$welcome");
    }

    @Test
    void connectionThatIsGoneAsksNoRuleForAResumption() {
        TestPeer ann = hello("ann", "");
        JsonObject welcome = ann.data("$welcome");
        ann.send("{'type':'$join','room':'chat:1','ref':'1'}");
        ann.cut();
        checksSlowly = true;
        List<String> asked = new ArrayList<>();
        onRule = () -> asked.add("rule");
        hello("ann", of(welcome)).cut();
        prove(0);
        assertEquals(List.of(), asked);
        hello("ann", of(welcome));
        prove(1);
        assertEquals(List.of("rule"), asked);
    }

    @Test
    void otherLoginsInProgressAreAdmitted() {
        checksSlowly = true;
        TestPeer bob = hello("bob", "");
        test.server.connections().user("ann").disconnect("out");
        proofs.get(0).complete(Authentication.of("bob"));
        test.settle();
        bob.next("$welcome");
        assertNull(bob.closed());
    }

    @Test
    void kickedSessionThatIsHeldByItsRateEndsAtOnce() {
        TestPeer ann = hello("ann", "");
        test.executor.hold();
        session().mailbox().offer(1, 0, () -> Duration.ofMinutes(9).toNanos(), () -> handled.add("held"));
        say(ann, 1, "10");
        test.settle();
        test.release();
        session().disconnect("out");
        test.settle();
        assertEquals(List.of("open", "close 4005 []false"), life, "not nine minutes later");
        test.time.advance(Duration.ofMinutes(10));
        assertEquals(List.of(), handled);
    }

    // ---------------------------------------------------------------- the listener

    @Test
    void roomsAreToldInOnClose() {
        TestPeer ann = hello("ann", "");
        for (String room : List.of("chat:2", "chat:1")) {
            ann.send("{'type':'$join','room':'" + room + "','ref':'1'}");
        }
        Session session = session();
        ann.close("");
        test.settle();
        assertEquals(List.of("open", "detach 1000", "close 1000 [chat:1, chat:2]false"), life);
        assertEquals("[chat:1, chat:2]", session.rooms().toString());
        assertEquals(0, test.server.connections().room("chat:1").localMembers().size());
    }

    @Test
    void takeoverIsADetachAndAResume() {
        TestPeer ann = hello("ann", "");
        JsonObject welcome = ann.data("$welcome");
        hello("ann", of(welcome)).next("$welcome");
        assertEquals(List.of("open", "detach 4006", "resume"), life);
    }

    @Test
    void refusedSessionIsNotReportedToTheListener() {
        checksSlowly = true;
        hello("ann", "");
        test.server.connections().user("ann").disconnect("out");
        prove(0);
        assertEquals(List.of(), life);
        assertEquals(0, test.server.stats().sessions());
    }

    /** The expiry and the connection come in the same instant, the connection first. */
    @Test
    void resumeAtTheLastMomentKeepsTheSession() {
        TestPeer ann = hello("ann", "");
        JsonObject welcome = ann.data("$welcome");
        ann.cut();
        Session session = session();
        test.time.advance(Duration.ofMinutes(4));
        TestPeer again = hello("ann", of(welcome));
        again.next("$welcome");
        test.time.advance(Duration.ofMinutes(30));
        again.send("{'type':'$ping'}");
        assertTrue(session.isConnected());
        assertEquals(List.of("open", "detach 1006", "resume"), life);
    }

    @Test
    void hundredFailuresWaitForListenerAndRestIsInLog() {
        hello("ann", "");
        for (int round = 0; round < 2; round++) { // and when those are heard there is room for more
            for (int i = 0; i < 101; i++) {
                session().failed(new IllegalStateException("failure " + i));
            }
            assertEquals(100 * round, failures.size());
            test.settle();
        }
        assertEquals(200, failures.size());
    }
}
