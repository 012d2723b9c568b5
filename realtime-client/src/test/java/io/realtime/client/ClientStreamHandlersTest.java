package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.testing.HeldExecutor;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The streams that a client produces for its server. */
class ClientStreamHandlersTest extends ClientCallsFixture {
    @Test
    void itemThatTheOutboxCanNeverHoldIsRefusedAsTooBig() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(8_000).build()));
        StreamRequest<String, String> words = StreamRequest.of("words", String.class, String.class);
        List<StreamSink<String>> sinks = new ArrayList<>();
        world.client().onStreamAsync(words, (question, out) -> sinks.add(out));
        world.connected();
        answer("words", "s-1", ",'data':'all'");
        RealtimeException refused =
                assertThrows(RealtimeException.class, () -> sinks.get(0).offer("x".repeat(20_000)));
        assertEquals(ErrorCode.TOO_BIG, refused.code());
        world.settle();
        assertEquals(ErrorCode.TOO_BIG, only("$error").error().exception().code());
    }

    // ---- streams from here

    private List<Integer> produced() {
        List<Integer> values = new ArrayList<>();
        for (Envelope frame : world.peer().all("$next")) {
            assertEquals(values.size(), frame.index());
            values.add(frame.data(Integer.class));
        }
        return values;
    }

    private List<StreamSink<Integer>> sinks() {
        List<StreamSink<Integer>> sinks = new ArrayList<>();
        world.client().onStreamAsync(COUNT, (question, out) -> sinks.add(out));
        world.connected();
        answer("count", "s-1", ",'data':'all'");
        return sinks;
    }

    @Test
    void producedStreamWaitsForCredit() {
        StreamSink<Integer> out = sinks().get(0);
        for (int i = 0; i < 64; i++) {
            assertTrue(out.offer(i));
        }
        assertFalse(out.offer(64));
        world.settle();
        assertEquals(64, produced().size());
        tell("$credit", ",'data':{'streams':{'s-1':66,'s-9':5}}");
        world.settle();
        assertTrue(out.offer(64));
        assertTrue(out.offer(65));
        assertFalse(out.offer(66));
        out.end();
        world.settle();
        assertEquals(66, produced().size());
        assertEquals("s-1", only("$end").ref());
        assertEquals(66, only("$end").index());
    }

    @Test
    void producedStreamIsCancelledByTheServer() {
        StreamSink<Integer> out = sinks().get(0);
        answer("$cancel", "s-1", "");
        assertTrue(out.isCancelled());
        assertFalse(out.offer(1));
        assertEquals(ErrorCode.CANCELLED, only("$error").error().exception().code());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void producedStreamSurvivesResumeAndEndsWithItsSession() {
        StreamSink<Integer> out = sinks().get(0);
        assertTrue(out.offer(0));
        world.settle();
        resume(1, 1);
        assertFalse(out.isCancelled());
        assertTrue(out.offer(1));
        world.settle();
        loseSession(0, 0);
        assertTrue(out.isCancelled());
    }

    @Test
    void producedStreamEndsAtAnInboxGap() {
        StreamSink<Integer> before = sinks().get(0);
        world.rooms = "{'@session':{'epoch':'s1','offset':9,'recovered':false,'reason':'trimmed'}}";
        resume(1, 9);
        assertTrue(before.isCancelled());
        assertEquals(ErrorCode.CANCELLED, only("$error").error().exception().code());
    }

    @Test
    void inboxGapEndsEarlierProducedStreamsOnly() {
        List<StreamSink<Integer>> sinks = sinks();
        gapInTheInbox(12);
        assertTrue(sinks.get(0).isCancelled());
        offset = 12;
        answer("count", "s-2", ",'data':'all'");
        assertFalse(sinks.get(1).isCancelled());
        assertTrue(sinks.get(1).offer(0));
    }

    private void gapInTheInbox(long upTo) {
        world.peer()
                .send("{'type':'$gap','room':'@session','data':{'epoch':'s1','offset':" + upTo
                        + ",'reason':'trimmed'}}");
        world.settle();
    }

    /** Has two streams be asked for while callbacks wait. */
    private List<StreamSink<Integer>> waitingSinks(Runnable meanwhile) {
        HeldExecutor held = HeldExecutor.passingTo(Runnable::run);
        world.use(world.builder().callbackExecutor(held));
        List<StreamSink<Integer>> sinks = new ArrayList<>();
        world.client().onStreamAsync(COUNT, (question, out) -> sinks.add(out));
        world.connected();
        held.hold();
        answer("count", "s-1", ",'data':'all'");
        meanwhile.run();
        answer("count", "s-2", ",'data':'all'");
        held.release();
        world.settle();
        assertEquals(2, sinks.size());
        assertFalse(sinks.get(1).isCancelled());
        return sinks;
    }

    @Test
    void cancelBeforeItsRequestTakesEffect() {
        assertTrue(waitingSinks(() -> answer("$cancel", "s-1", "")).get(0).isCancelled());
    }

    @Test
    void streamWhoseQuestionWaitsAtGapInInboxIsCancelled() {
        assertTrue(waitingSinks(() -> {
                    gapInTheInbox(12);
                    offset = 12;
                })
                .get(0)
                .isCancelled());
    }

    @Test
    void producedStreamFillsHalfTheOutboxAtMost() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(10).build()));
        StreamSink<Integer> out = sinks().get(0);
        List<Integer> sent = new ArrayList<>();
        out.onReady(() -> {
            while (out.offer(sent.size())) {
                sent.add(sent.size());
            }
        });
        world.settle();
        assertEquals(5, sent.size());
        world.peer().ack(3, 0);
        world.settle();
        assertEquals(8, sent.size());
    }

    @Test
    void itemDroppedForNewerMessagesEndsTheStream() {
        world.use(world.builder()
                .outbox(OutboxLimits.builder()
                        .messages(10)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build()));
        StreamSink<Integer> out = sinks().get(0);
        world.network.cutAll();
        world.settle();
        assertTrue(out.offer(0));
        assertTrue(out.offer(1));
        for (int i = 0; i < 9; i++) {
            var unused = world.client().send(World.SAY, new Say("newer"));
        }
        world.settle();
        assertTrue(out.isCancelled());
        assertEquals(1, world.errors.size(), world.errors.toString());
        assertEquals(ErrorCode.OVERLOADED, ((RealtimeException) world.errors.get(0)).code());
        world.resumed = true;
        world.advance(2_000);
        assertEquals("s-1", only("$error").ref());
        assertEquals(ErrorCode.OVERLOADED, only("$error").error().exception().code());
    }

    @Test
    void itemThatIsTooBigForServerIsRefusedAsThatAndEndsStream() {
        world.messageBytes = 1_000;
        StreamRequest<String, String> words = StreamRequest.of("words", String.class, String.class);
        List<StreamSink<String>> sinks = new ArrayList<>();
        world.client().onStreamAsync(words, (question, out) -> sinks.add(out));
        world.connected();
        answer("words", "s-1", ",'data':'all'");
        RealtimeException refused =
                assertThrows(RealtimeException.class, () -> sinks.get(0).offer("x".repeat(2_000)));
        assertEquals(ErrorCode.TOO_BIG, refused.code());
        world.settle();
        assertEquals(ErrorCode.TOO_BIG, only("$error").error().exception().code());
    }

    @Test
    void invalidStreamFramesAreIgnored() {
        StreamSink<Integer> out = sinks().get(0);
        for (String data : List.of(
                "null",
                "{}",
                "{'streams':null}",
                "{'streams':{'s-1':null}}",
                "{'streams':{'s-1':-5}}",
                "{'streams':{'s-1':'x'}}",
                "{'streams':[1]}",
                "7")) {
            tell("$credit", ",'data':" + data);
        }
        answer("$cancel", "s-9", "");
        tell("$cancel", "");
        answer("$next", "nobody", ",'index':0,'data':1");
        answer("$end", "nobody", "");
        assertTrue(out.offer(1));
        world.settle();
        assertEquals(1, produced().size());
        assertEquals(ConnectionState.Status.OPEN, world.client().state().status());
    }
}
