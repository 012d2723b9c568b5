package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a peer may cost and ask for before it is authenticated. */
class EarlyPeerTest {
    private static final Event<String> SAY = Event.of("say", String.class);

    private final List<String> handled = new ArrayList<>();
    private final List<String> asked = new ArrayList<>();
    private boolean rejecting;
    private CompletableFuture<Authentication> answer = new CompletableFuture<>();
    private final TestServer test = new TestServer(
            credentials -> {
                asked.add(String.valueOf(credentials.token()));
                return answer;
            },
            builder -> builder.executor(this::execute).on(SAY, (session, message) -> handled.add(message.data())));

    private void execute(Runnable task) {
        if (rejecting) {
            throw new RejectedExecutionException("expected in the log");
        }
        test.executor.execute(task);
    }

    @AfterEach
    void close() {
        test.close();
    }

    private TestPeer hello(String token) {
        TestPeer peer = test.connect(Protocol.SUBPROTOCOL, "/ws");
        peer.send("{'type':'$hello','data':{'token':'" + token + "'}}");
        return peer;
    }

    private static String say(int length) {
        return "{'type':'say','data':'" + "x".repeat(length) + "'}";
    }

    @Test
    void longMessageBeforeAuthenticationCloses() {
        TestPeer peer = hello("ann");
        peer.send(say(16 * 1024));
        assertEquals(CloseReason.TOO_BIG, peer.closeCode());
    }

    @Test
    void longHelloCloses() {
        assertEquals(CloseReason.TOO_BIG, hello("x".repeat(16 * 1024)).closeCode());
        assertEquals(List.of(), asked);
    }

    @Test
    void earlyMessagesCountTogetherWithTheHello() {
        TestPeer peer = hello("x".repeat(8_000));
        peer.send(say(4_000));
        peer.send(say(3_000));
        assertNull(peer.closed());
        peer.send(say(1_000));
        assertEquals(CloseReason.OVERLOADED, peer.closeCode());
    }

    /** Sends a hello and a message that are so long together, each with what it counts beyond its text. */
    private TestPeer early(int bytes) {
        TestPeer peer = test.connect(Protocol.SUBPROTOCOL, "/ws");
        String hello = "{'type':'$hello','data':{'token':'ann'}}";
        peer.send(hello);
        peer.send(say(bytes - hello.length() - say(0).length() - 2 * 200));
        return peer;
    }

    @Test
    void earlyMessagesMayTake16KiBAndNotAByteMore() {
        TestPeer most = early(16 * 1024);
        TestPeer more = early(16 * 1024 + 1);
        assertNull(most.closed());
        assertEquals(CloseReason.OVERLOADED, more.closeCode());
    }

    /** Many ends may be due at once, so the close waits for a thread. */
    @Test
    void messageAfterTheEndOfTheTokenIsNotHandled() {
        answer.complete(
                Authentication.of("ann").withExpiry(Instant.ofEpochMilli(test.time.currentTimeMillis() + 10_000)));
        TestPeer peer = test.plain("ann");
        test.executor.hold();
        test.time.advance(Duration.ofSeconds(10));
        assertNull(peer.closed());
        peer.send(say(3));
        test.release();
        assertEquals(CloseReason.TOKEN_EXPIRED, peer.closeCode());
        assertEquals(List.of(), handled);
    }

    @Test
    void shortEarlyMessagesCountForMoreThanTheirText() {
        TestPeer peer = hello("ann");
        for (int i = 0; i < 100; i++) {
            peer.post("{'type':'say','data':''}");
        }
        test.settle();
        assertEquals(CloseReason.OVERLOADED, peer.closeCode());
    }

    @Test
    void earlyMessagesAreHandledAfterTheWelcome() {
        TestPeer peer = hello("ann");
        peer.send(say(3));
        answer.complete(Authentication.of("ann"));
        test.settle();
        peer.next("$welcome");
        peer.send(say(60_000));
        assertNull(peer.closed());
        assertEquals(List.of("xxx", "x".repeat(60_000)), handled);
    }

    @Test
    void plainPeerMaySendLongMessagesOnceWelcomed() {
        answer.complete(Authentication.of("ann"));
        TestPeer peer = test.plain("ann");
        peer.send(say(60_000));
        assertEquals(List.of("x".repeat(60_000)), handled);
    }

    @Test
    void peerThatLeftIsNotAuthenticated() {
        test.executor.hold();
        TestPeer left = hello("left");
        TestPeer stays = hello("stays");
        left.cut();
        test.release();
        assertEquals(List.of("stays"), asked);
        assertNull(stays.closed());
    }

    @Test
    void secondTokenWaitsForTheFirst() {
        answer.complete(Authentication.of("ann"));
        TestPeer peer = test.plain("ann");
        answer = new CompletableFuture<>();
        peer.send("{'type':'$auth','ref':'1','data':{'token':'a'}}");
        assertEquals("overloaded", peer.errorOf("{'type':'$auth','ref':'2','data':{'token':'b'}}"));
        answer.complete(Authentication.of("ann"));
        test.settle();
        assertEquals("1", peer.next("$reply").get("ref").getAsString());
        peer.send("{'type':'$auth','ref':'3','data':{'token':'c'}}");
        assertEquals("3", peer.next("$reply").get("ref").getAsString());
    }

    @Test
    void rejectedTasksAreStartedLaterAndCounted() {
        answer.complete(Authentication.of("ann"));
        TestPeer peer = test.plain("ann");
        assertEquals(0, test.server.stats().rejections());
        rejecting = true;
        peer.send(say(1));
        peer.send(say(2));
        TestPeer newcomer = hello("ben");
        test.time.advance(Duration.ofSeconds(6));
        assertEquals(2, test.server.stats().rejections(), "one run of a mailbox, one authentication");
        assertEquals(
                "authentication: 1 wait for a thread, 0 busy, 1 refused by the executor, for more than 5 s",
                test.server.problem());
        rejecting = false;
        test.time.advance(Duration.ofSeconds(2));
        assertEquals(List.of("x", "xx"), handled);
        newcomer.next("$welcome");
        assertNull(test.server.problem());
    }

    @Test
    void handlersThatWaitForAThreadAreSeen() {
        answer.complete(Authentication.of("ann"));
        TestPeer peer = test.plain("ann");
        assertEquals(0, test.server.stats().rejections());
        test.executor.hold();
        peer.send(say(1));
        assertEquals(1, test.server.stats().handlersWaiting());
        assertEquals(1, test.server.stats().waiting());
        test.time.advance(Duration.ofSeconds(6));
        assertEquals("handlers: 1 wait for a thread, 0 busy, for more than 5 s", test.server.problem());
        test.executor.release();
        test.time.advance(Duration.ofSeconds(1));
        assertNull(test.server.problem());
        assertEquals(List.of("x"), handled);
        assertEquals(0, test.server.stats().waiting());
    }

    /** A plain peer is never told anything before its welcome but why it is closed. */
    @Test
    void peerWithoutAWelcomeIsToldNoGoodbye() {
        TestPeer plain = test.connect("", "/ws?token=ann");
        TestPeer managed = hello("ann");
        test.server.close(Duration.ZERO);
        test.settle();
        for (TestPeer peer : List.of(plain, managed)) {
            assertEquals(List.of("$error"), peer.types());
            assertEquals(CloseReason.DRAINING, peer.closeCode());
        }
    }
}
