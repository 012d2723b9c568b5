package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.spi.Scheduler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a client sends from the outbox of the process before. */
class ClientFileOutboxTest extends ClientFileOutboxFixture {
    @Test
    void storedMessageIsSentByTheNextProcessWithItsNumber() {
        start();
        world.acks = false;
        world.connected();
        String id = world.peer().hello().client();
        var acknowledged = say("one");
        var onItsWay = say("two");
        world.settle();
        world.peer().send("{'type':'$ack','data':{'seq':1}}");
        world.settle();
        world.network.cutAll();
        CompletableFuture<Void> waiting = world.client().room("r").send(World.SAY, new Say("three"));
        world.settle();
        restart();
        assertDone(acknowledged);
        assertEquals(ErrorCode.CLOSED, failure(onItsWay).code());
        assertEquals(ErrorCode.CLOSED, failure(waiting).code());
        assertEquals(List.of(), world.dropped);

        var fourth = say("four");
        world.connected();
        assertEquals(id, world.peer().hello().client());
        assertEquals(List.of("two*", "three*", "four"), world.peer().says());
        assertEquals(List.of(2L, 3L, 4L), numbers());
        assertEquals("r", world.peer().all("chat.say").get(1).room());
        world.peer().send("{'type':'$ack','data':{'seq':4}}");
        world.settle();
        assertDone(fourth);
        restart();
        world.connected();
        assertEquals(List.of(), world.peer().says());
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void nothingIsScheduledBeforeTheClientIsBuilt() {
        start();
        CompletableFuture<Void> kept = say("one");
        world.client().close();
        world.settle();
        assertEquals(ErrorCode.CLOSED, failure(kept).code());
        // A scheduler whose thread is faster than the one that builds the client.
        Scheduler ahead = new Scheduler() {
            @Override
            public long nanoTime() {
                return world.time.nanoTime();
            }

            @Override
            public long currentTimeMillis() {
                return world.time.currentTimeMillis();
            }

            @Override
            public Cancellable schedule(Duration delay, Runnable task) {
                if (delay.isZero()) {
                    task.run();
                    return () -> {};
                }
                return world.time.schedule(delay, task);
            }
        };
        world.use(world.builder().scheduler(ahead).outboxFile(open()));
        world.connected();
        assertEquals(List.of(1L), numbers());
    }

    @Test
    void bytesAreSentByTheNextProcessToo() {
        Event<byte[]> blob = Event.of("blob", byte[].class);
        start();
        world.acks = false;
        world.connected();
        byte[] bytes = {0, -1, 1};
        var sent = List.of(
                say("one"),
                world.client().room("r").send(blob, bytes),
                world.client().send(Event.of("view", ByteBuffer.class), ByteBuffer.allocate(0)),
                say("four"));
        bytes[0] = 7;
        world.settle();
        restart(OutboxLimits.builder().messages(3).build());
        sent.forEach(fate -> assertEquals(ErrorCode.CLOSED, failure(fate).code()));
        world.connected();
        List<Envelope> blobs = world.peer().all("blob");
        assertEquals(1, blobs.size());
        assertEquals(2, blobs.get(0).seq());
        assertEquals("r", blobs.get(0).room());
        assertTrue(blobs.get(0).isRedelivered());
        assertEquals(ByteBuffer.wrap(new byte[] {0, -1, 1}), blobs.get(0).payload());
        assertEquals(ByteBuffer.allocate(0), world.peer().all("view").get(0).payload());
        assertEquals(List.of("one*"), world.peer().says());
        assertEquals(List.of("four overloaded"), dropped());
    }

    @Test
    void processedStoredMessageIsNotSentAgain() {
        start();
        world.acks = false;
        world.connected();
        var one = say("one");
        var two = say("two");
        world.settle();
        restart();
        assertTrue(one.isDone() && two.isDone());
        world.seq = 1;
        world.connected();
        assertEquals(List.of("two*"), world.peer().says());
    }

    @Test
    void storedMessagesBeyondTheNextLimitsAreReported() {
        start();
        var all = List.of(say("one"), say("two"), say("three"));
        world.settle();
        restart(OutboxLimits.builder().messages(2).build());
        world.settle();
        assertEquals(List.of("three overloaded"), dropped());
        world.dropped.clear();
        restart(OutboxLimits.builder()
                .messages(1)
                .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                .build());
        world.settle();
        assertEquals(List.of("one overloaded"), dropped());
        restart();
        world.connected();
        assertEquals(List.of("two*"), world.peer().says());
        all.forEach(sent -> assertEquals(ErrorCode.CLOSED, failure(sent).code()));
    }

    @Test
    void restoredMessageThatIsTooLongForTheServerIsReported() {
        start();
        var sent = say("x".repeat(2_000));
        world.settle();
        restart();
        world.messageBytes = 1_000;
        world.connected();
        assertEquals(List.of("x".repeat(2_000) + " too_big"), dropped());
        assertTrue(sent.isDone());
        restart();
        world.messageBytes = 65_536;
        world.connected();
        assertEquals(List.of(), world.peer().says());
    }

    @Test
    void refusedRestoredMessageIsReportedAsDropped() {
        start();
        var sent = say("bad");
        world.settle();
        restart();
        world.acks = false;
        world.connected();
        world.peer().send("{'type':'$error','seq':1,'data':{'code':'forbidden','message':'no'}}");
        world.settle();
        assertEquals(List.of("bad forbidden"), dropped());
        assertTrue(sent.isDone());
        restart();
        world.connected();
        assertEquals(List.of(), world.peer().says());
    }

    @Test
    void droppedMessageIsReadWithItsContract() {
        start();
        var sent = world.client().room("r").send(World.SAY, new Say("ü"));
        world.settle();
        restart(OutboxLimits.builder().bytes(10).build());
        world.settle();
        DroppedMessage message = world.dropped.get(0);
        assertEquals("chat.say", message.name());
        assertEquals("r", message.room());
        assertEquals(new Say("ü"), message.data(World.SAY));
        String refusal = String.valueOf(assertThrows(IllegalArgumentException.class, () -> message.data(World.SAID))
                .getMessage());
        assertEquals("the message is a 'chat.say', not a 'chat.said'", refusal);
        Event<Integer> another = Event.of("chat.say", Integer.class);
        assertThrows(PayloadException.class, () -> message.data(another));
        assertTrue(sent.isDone());
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void noRepeatAndNoLossOverManyProcesses(int seed) {
        Random random = new Random(seed);
        start();
        List<String> expected = new ArrayList<>();
        List<String> processed = new ArrayList<>();
        for (int round = 0; round < 50; round++) {
            for (int i = 0; i < 7; i++) {
                expected.add(round + "." + i);
                var unused = say(round + "." + i);
            }
            world.acks = false;
            world.connected();
            for (Envelope frame : world.peer().all("chat.say")) { // a server that crashes somewhere in the middle
                if (frame.seq() > world.seq && random.nextInt(20) > 0) {
                    assertEquals(world.seq + 1, frame.seq());
                    processed.add(frame.<Say>data(Say.class).text());
                    world.seq = frame.seq();
                } else if (frame.seq() > world.seq) {
                    break;
                }
            }
            restart();
        }
        assertEquals(expected.subList(0, processed.size()), processed, "seed " + seed);
        assertTrue(processed.size() > 200, "seed " + seed + " processed " + processed.size());
        world.connected();
        assertEquals(expected.size() - processed.size(), world.peer().says().size(), "seed " + seed);
        assertEquals(List.of(), world.dropped);
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void crashForgetsNoNumberThatTheServerHasSeen(int seed) throws IOException {
        Random random = new Random(seed);
        Map<Long, String> seen = new TreeMap<>();
        Set<String> texts = new HashSet<>();
        world.acks = false;
        world.use(world.builder().outboxFile(open(directory.resolve("0"))));
        for (int round = 1; round <= 40; round++) {
            world.connected();
            for (int i = 0; i < random.nextInt(10); i++) {
                if (random.nextInt(3) > 0) {
                    writes.hold();
                } else {
                    writes.pass();
                }
                var unused = say(round + "." + i);
                world.advance(random.nextInt(3));
                if (random.nextBoolean()) {
                    letWrite();
                }
            }
            byte[] atTheCrash = Files.readAllBytes(directory.resolve("" + (round - 1)));
            world.settle();
            for (Envelope frame : world.peer().all("chat.say")) {
                String text = frame.<Say>data(Say.class).text();
                String same = seen.putIfAbsent(frame.seq(), text);
                assertEquals(same == null ? text : same, text, "seed " + seed + ", number " + frame.seq());
                assertEquals(same == null, texts.add(text), "seed " + seed + ": two numbers for " + text);
                world.seq = Math.max(world.seq, random.nextInt(4) == 0 ? frame.seq() : 0);
            }
            world.client().close();
            world.settle();
            writes.pass();
            letWrite();
            Path copy = Files.write(directory.resolve("" + round), atTheCrash);
            world.use(world.builder().outboxFile(open(copy)));
        }
        assertTrue(seen.size() > 50, "seed " + seed + ": " + seen.size());
    }

    @Test
    void cancelledMessageIsTakenOutOfTheFile() {
        start();
        CompletableFuture<Void> first = say("first");
        CompletableFuture<Void> second = say("second");
        world.settle();
        assertTrue(first.cancel(true));
        restart();
        world.connected();
        assertEquals(List.of("second*"), world.peer().says());
        assertEquals(ErrorCode.CLOSED, failure(second).code());
    }

    @Test
    void cancelAfterCloseLeavesTheMessageInItsFile() {
        start();
        CompletableFuture<Void> sent = say("text");
        world.settle();
        world.client().close();
        assertFalse(sent.cancel(true));
        world.settle();
        assertEquals(ErrorCode.CLOSED, failure(sent).code());
        start();
        world.connected();
        assertEquals(List.of("text*"), world.peer().says());
    }

    @Test
    void cancelledMessageInProgressIsTakenOutOfTheFile() {
        start();
        world.acks = false;
        world.connected();
        CompletableFuture<Void> first = say("first");
        CompletableFuture<Void> second = say("second");
        world.settle();
        assertTrue(first.cancel(true));
        restart();
        world.connected();
        assertEquals(List.of("second*"), world.peer().says());
        assertEquals(ErrorCode.CLOSED, failure(second).code());
    }
}
