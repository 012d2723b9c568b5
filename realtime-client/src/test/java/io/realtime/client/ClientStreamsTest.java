package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.internal.wire.Protocol;
import io.realtime.testing.HeldExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;

/** The streams that a client requests. */
class ClientStreamsTest extends ClientCallsFixture {
    private static final StreamRequest<String, String> WORDS = StreamRequest.of("words", String.class, String.class);

    // ---- streams

    @Test
    void streamBringsItsItemsAndItsEnd() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        String ref = refOf("count");
        assertEquals(1, only("count").seq());
        items(ref, 0, 3);
        answer("$end", ref, ",'index':3");
        assertEquals(List.of(0, 1, 2), heard.items);
        assertEquals(1, heard.ends);
        assertEquals(List.of(), heard.failures);
    }

    @Test
    void creditIsSentAtHalfAWindow() {
        world.connected();
        stream(new Heard());
        String ref = refOf("count");
        items(ref, 0, 31);
        assertTrue(
                credits().stream().allMatch(credit -> credit.streams() == null),
                credits().toString());
        items(ref, 31, 32);
        List<Protocol.Credit> said = credits();
        assertEquals(Map.of(ref, 96L), said.get(said.size() - 1).streams());
    }

    @Test
    void noCreditIsSentAfterTheEnd() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        String ref = refOf("count");
        for (int i = 0; i < 40; i++) {
            tell("$next", ",'ref':'" + ref + "','index':" + i + ",'data':" + i);
        }
        answer("$end", ref, ",'index':40");
        assertEquals(1, heard.ends);
        assertFalse(credits().isEmpty());
        assertTrue(
                credits().stream().allMatch(credit -> credit.streams() == null),
                credits().toString());
    }

    @Test
    void inboxPositionIsSentAfter32FramesOr100Millis() {
        world.connected();
        stream(new Heard());
        String ref = refOf("count");
        items(ref, 0, 1); // arrives after some milliseconds of the 20
        world.advance(60);
        assertEquals(List.of(), credits());
        world.advance(60);
        assertEquals(1, credits().size());
        assertEquals(1L, credits().get(0).read());
        for (int i = 1; i < 32; i++) {
            world.peer()
                    .send("{'type':'chat.said','room':'@session','ts':1,'data':{'text':'x'},'offset':" + ++offset
                            + "}");
        }
        world.settle();
        assertEquals(1, credits().size());
        tell("chat.said", ",'data':{'text':'x'}");
        world.settle();
        assertEquals(2, credits().size());
        assertEquals(33L, credits().get(1).read());
    }

    @Test
    void clientWithoutStreamsSendsNoInboxPosition() {
        world.connected();
        for (int i = 0; i < 31; i++) {
            tell("chat.said", ",'data':{'text':'x'}");
        }
        world.advance(10_000);
        assertEquals(List.of(), credits());
    }

    @Test
    void creditIsSentAgainAfterResume() {
        world.connected();
        stream(new Heard());
        String ref = refOf("count");
        items(ref, 0, 32);
        resume(1, 32);
        assertEquals(List.of(), world.peer().all("count"));
        assertEquals(Map.of(ref, 96L), credits().get(0).streams());
        assertEquals(32L, credits().get(0).read());
    }

    @Test
    void inboxPositionIsSentAgainAfterResume() {
        world.connected();
        Subscription first = stream(new Heard());
        items(refOf("count"), 0, 32);
        assertEquals(32L, credits().get(0).read(), "which the server may not have heard");
        first.close();
        world.settle();
        resume(2, 32);
        world.advance(1_000);
        assertEquals(List.of(), credits(), "nobody waits for it");
        stream(new Heard());
        world.advance(200);
        assertEquals(32L, credits().get(0).read());
    }

    @Test
    void inboxPositionOfLostSessionIsNotSentInTheNext() {
        world.connected();
        stream(new Heard());
        items(refOf("count"), 0, 5);
        Heard second = new Heard();
        stream(second);
        loseSession(1, 0);
        assertEquals(1, world.peer().all("count").size(), "the second is asked again");
        assertFalse(credits().isEmpty());
        for (Protocol.Credit credit : credits()) {
            assertNull(credit.read(), "nothing of this inbox is read");
        }
        items(refOf("count"), 0, 1);
        world.advance(200);
        assertEquals(1L, credits().get(credits().size() - 1).read());
        assertEquals(List.of(0), second.items);
    }

    @Test
    void inboxGapCountsAsRead() {
        world.connected();
        stream(new Heard());
        items(refOf("count"), 0, 5);
        world.rooms = "{'@session':{'epoch':'s2','offset':2,'recovered':false,'reason':'epoch'}}";
        stream(new Heard());
        resume(1, 2);
        assertEquals(2L, credits().get(0).read(), "and no 5 of another log");
        world.peer().send("{'type':'$gap','room':'@session','data':{'epoch':'s2','offset':9," + "'reason':'trimmed'}}");
        world.settle();
        stream(new Heard());
        world.advance(200);
        assertEquals(9L, credits().get(credits().size() - 1).read());
    }

    @Test
    void streamThatHasBegunIsNotAskedAgainInAnotherSession() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        items(refOf("count"), 0, 2);
        loseSession(0, 0);
        assertEquals(List.of(), world.peer().all("count"));
        assertEquals(ErrorCode.CONNECTION_LOST, heard.failure());
        assertEquals(List.of(0, 1), heard.items);
    }

    @Test
    void streamThatHasNotBegunIsAskedAgain() {
        world.connected();
        Heard heard = new Heard();
        stream(heard);
        loseSession(0, 0);
        items(refOf("count"), 0, 2);
        assertEquals(List.of(0, 1), heard.items);
        assertEquals(List.of(), heard.failures);
    }

    @Test
    void cancellingAStreamThatWasNotAskedYetSendsNothing() {
        Subscription open = stream(new Heard());
        open.close();
        world.connected();
        world.advance(1_000);
        assertEquals(List.of(), world.peer().all("count"));
        assertEquals(List.of(), world.peer().all("$cancel"));
    }

    @Test
    void cancellingStreamTellsServerOnceAndListenerHearsNothingMore() {
        world.connected();
        Heard heard = new Heard();
        Subscription open = stream(heard);
        String ref = refOf("count");
        items(ref, 0, 1);
        open.close();
        open.close();
        world.settle();
        items(ref, 1, 3);
        answer("$error", ref, error("cancelled"));
        assertEquals(ref, refOf("$cancel"));
        assertEquals(List.of(0), heard.items);
        assertEquals(0, heard.ends);
        assertEquals(List.of(), heard.failures);
    }

    @Test
    void cancellingAStreamThatIsOverSendsNothing() {
        world.connected();
        Subscription open = stream(new Heard());
        String ref = refOf("count");
        tell("$next", ",'ref':'" + ref + "','index':0,'data':0");
        answer("$end", ref, ",'index':1");
        open.close();
        world.settle();
        assertEquals(List.of(), world.peer().all("$cancel"));
    }

    @Test
    void cancellingAStreamThatWasRefusedSendsNothing() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(2).build()));
        var first = ask("x");
        var second = ask("x");
        Heard heard = new Heard();
        world.client().stream(COUNT, "all", heard).close(); // before it was told of the refusal
        world.connected();
        world.peer().ack(2, 0);
        world.settle();
        assertEquals(List.of(), world.peer().all("$cancel"));
        assertFalse(first.isDone() || second.isDone());
    }

    @Test
    void closeDuringStreamReportsNoError() {
        world.connected();
        Subscription open = stream(new Heard());
        items(refOf("count"), 0, 1);
        open.close();
        world.settle();
        world.client().close();
        world.settle();
        assertEquals(List.of(), world.errors);
    }

    /** On the callback executor, an item takes as much of inboundBytes as it costs, and no more. */
    @Test
    void streamItemCountsOnceAgainstInboundBytes() {
        HeldExecutor held = HeldExecutor.passingTo(Runnable::run);
        world.use(world.builder().messageBytes(2_048).inboundBytes(8_192).callbackExecutor(held));
        world.connected();
        List<String> items = new ArrayList<>();
        world.client().stream(WORDS, "all", items::add);
        world.settle();
        String ref = Objects.requireNonNull(world.peer().all("words").get(0).ref());
        held.hold();
        for (int i = 0; i < 5; i++) { // 5 * (1,000 + 256 and the envelope), which is less than 8,192
            tell("$next", ",'ref':'" + ref + "','index':" + i + ",'data':'" + "x".repeat(1_000) + "'");
            world.settle();
        }
        assertTrue(world.client().isConnected());
        held.release();
        world.settle();
        assertEquals(5, items.size());
    }
}
