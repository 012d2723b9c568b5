package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.client.World.Say;
import io.realtime.client.internal.outbox.BrokenDisk;
import io.realtime.client.internal.outbox.OutboxFile;
import io.realtime.client.internal.outbox.OutboxJournal;
import io.realtime.client.internal.outbox.StoredMessage;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients in virtual time, one process after the other, with a real file between them. */
class ClientFileOutboxTest {
    @TempDir
    Path directory;

    private final World world = new World();
    private final BrokenDisk disk = new BrokenDisk();
    private final ArrayDeque<Runnable> held = new ArrayDeque<>();
    private boolean holdsWrites;
    private boolean hasThreads = true;

    @AfterEach
    void nothingIsLeft() {
        holdsWrites = false;
        letWrite();
        world.close();
    }

    /** The disk as the test lets it: at once, or when it says so. */
    private void write(Runnable task) {
        if (!hasThreads) {
            throw new OutOfMemoryError("unable to create native thread");
        } else if (holdsWrites) {
            held.add(task);
        } else {
            world.time.execute(task);
        }
    }

    private void letWrite() {
        while (!held.isEmpty()) {
            world.time.execute(held.remove());
        }
        world.settle();
    }

    private FileOutbox open() {
        return open(directory.resolve("outbox"));
    }

    private FileOutbox open(Path file) {
        try {
            return new FileOutbox(OutboxFile.open(file, this::write, () -> {}, disk));
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    private RealtimeClient start() {
        return start(OutboxLimits.defaults());
    }

    private RealtimeClient start(OutboxLimits limits) {
        return world.use(world.builder().outbox(limits).outboxFile(open()));
    }

    /** Ends the process and begins another. */
    private RealtimeClient restart() {
        return restart(OutboxLimits.defaults());
    }

    private RealtimeClient restart(OutboxLimits limits) {
        world.client().close();
        world.settle();
        return start(limits);
    }

    private CompletableFuture<Void> say(String text) {
        return world.client().send(World.SAY, new Say(text));
    }

    private List<Long> numbers() {
        List<Long> numbers = new ArrayList<>();
        world.peer().all("chat.say").forEach(frame -> numbers.add(frame.seq()));
        return numbers;
    }

    private List<String> dropped() {
        List<String> texts = new ArrayList<>();
        world.dropped.forEach(message ->
                texts.add(message.data(World.SAY).text() + " " + message.cause().code()));
        return texts;
    }

    private List<String> order() {
        return world.peer().frames.stream().map(Envelope::type).toList();
    }

    private static void assertDone(CompletableFuture<?> sent) {
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally(), String.valueOf(sent));
    }

    private static RealtimeException failure(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return (RealtimeException) Objects.requireNonNull(failure);
    }

    @Test
    void whatWaitedIsSentByTheNextProcessUnderTheSameClientIdAndNumber() {
        start();
        world.acks = false;
        world.connected();
        String id = world.peer().hello().client();
        var acknowledged = say("one");
        var onItsWay = say("two");
        world.settle();
        world.peer().send("{\"type\":\"$ack\",\"data\":{\"seq\":1}}");
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
        world.peer().send("{\"type\":\"$ack\",\"data\":{\"seq\":4}}");
        world.settle();
        assertDone(fourth);
        restart();
        world.connected();
        assertEquals(List.of(), world.peer().says());
        assertEquals(List.of(), world.dropped);
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
    void whatTheServerHasProcessedMeanwhileIsNotSentAgain() {
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
    void aMessageLeavesOnlyWhenItIsOnTheDisk() {
        start();
        world.connected();
        holdsWrites = true;
        CompletableFuture<Void> sent = say("one");
        world.settle();
        assertEquals(List.of(), world.peer().says());
        letWrite();
        assertEquals(List.of("one"), world.peer().says());
        assertDone(sent);
    }

    @Test
    void nothingButALeaveWaitsForMessagesThatWaitForTheDisk() {
        start();
        world.connected();
        world.peer().frames.clear();
        ClientRoom room = world.client().room("r");
        holdsWrites = true;
        List<CompletableFuture<?>> asked = List.of(
                room.join(),
                room.send(World.SAY, new Say("inside")),
                room.leave(),
                world.client().send(World.TYPING, new Say("typing")));
        world.settle();
        assertEquals(List.of(Protocol.JOIN, "chat.typing"), order());
        letWrite();
        assertEquals(List.of(Protocol.JOIN, "chat.typing", "chat.say", Protocol.LEAVE), order());
        asked.forEach(ClientFileOutboxTest::assertDone);
    }

    @Test
    void writerThatHadNoThreadWritesByItselfLater() {
        world.user = "ann";
        hasThreads = false;
        world.use(world.builder().substitute(this::write).outboxFile(open()));
        world.connected();
        var sent = say("one");
        world.settle();
        assertEquals(List.of(), world.peer().says());
        hasThreads = true;
        world.advance(200);
        assertEquals(List.of("one"), world.peer().says());
        assertDone(sent);
    }

    @Test
    void closeStoresWhatWasNotYetStored() {
        start();
        holdsWrites = true;
        CompletableFuture<Void> sent = say("late");
        world.client().close();
        world.settle();
        assertEquals(ErrorCode.CLOSED, failure(sent).code());
        letWrite();
        assertEquals(List.of(), world.dropped);
        holdsWrites = false;
        start();
        world.connected();
        assertEquals(List.of("late*"), world.peer().says());
    }

    @Test
    void messageStoredTogetherWithACompactionIsInTheFile() throws IOException {
        start();
        List<CompletableFuture<Void>> cancelled = List.of(say("x".repeat(50_000)), say("x".repeat(50_000)));
        world.settle();
        int changes = disk.changes.size();
        holdsWrites = true;
        cancelled.forEach(message -> message.cancel(false));
        var kept = say("kept");
        letWrite();
        assertFalse(kept.isDone());
        assertEquals(
                List.of("write", "force", "write", "force", "replace", "force names"),
                disk.changes.subList(changes, disk.changes.size()));
        disk.losePower(BrokenDisk.Loss.CONTENTS_AND_NAMES);
        OutboxJournal journal = OutboxJournal.open(directory.resolve("outbox"), new BrokenDisk());
        assertEquals(
                List.of(3L),
                journal.takeRestored().stream().map(StoredMessage::seq).toList());
        journal.close();
    }

    @Test
    void whatCloseCannotStoreIsReported() {
        start();
        disk.full = true;
        CompletableFuture<Void> sent = say("lost");
        world.client().close(Duration.ZERO);
        world.settle();
        assertEquals(ErrorCode.CLOSED, failure(sent).code());
        assertEquals(List.of("lost storage"), dropped());
    }

    @Test
    void whatAFullDiskCannotTakeFailsAndLaterMessagesAreTriedAgain() {
        start();
        world.connected();
        var first = say("first");
        world.settle();
        disk.full = true;
        CompletableFuture<Void> lost = say("lost");
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        world.settle();
        RealtimeException failure = failure(lost);
        assertEquals(ErrorCode.STORAGE, failure.code());
        assertTrue(failure.isRetryable());
        assertEquals(
                "the message could not be stored: java.io.IOException: No space left on device", failure.getMessage());
        assertEquals(List.of("lost storage"), dropped());
        assertDone(joined);

        disk.full = false;
        var second = say("second");
        world.settle();
        assertDone(first);
        assertDone(second);
        assertEquals(List.of("first", "second"), world.peer().says());
    }

    @Test
    void syncFailsWhenAMessageSinceTheLastCouldNotBeStored() {
        FileOutbox outbox = open();
        world.use(world.builder().outboxFile(outbox));
        disk.forceFails = true;
        var lost = say("lost");
        world.settle();
        assertTrue(lost.isDone());
        CompletableFuture<Void> first = outbox.sync();
        world.settle();
        assertEquals(ErrorCode.STORAGE, failure(first).code());
        disk.forceFails = false;
        var kept = say("kept");
        CompletableFuture<Void> second = outbox.sync();
        assertFalse(second.isDone());
        world.settle();
        assertDone(second);
        assertFalse(kept.isDone());
    }

    @Test
    void syncWaitsForADiskThatHangsWithABound() {
        FileOutbox outbox = open();
        world.use(world.builder().outboxFile(outbox));
        holdsWrites = true;
        var kept = say("kept");
        List<CompletableFuture<Void>> waiting = new ArrayList<>();
        for (int i = 0; i < 1_001; i++) {
            waiting.add(outbox.sync());
        }
        world.settle();
        assertEquals(ErrorCode.OVERLOADED, failure(waiting.remove(1_000)).code());
        assertFalse(waiting.get(0).isDone());
        letWrite();
        waiting.forEach(ClientFileOutboxTest::assertDone);
        assertFalse(kept.isDone());
    }

    @Test
    void whatIsBeyondTheLimitsOfTheNextProcessIsReported() {
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
    void ageIsCountedAcrossProcesses() {
        OutboxLimits hour = OutboxLimits.builder().maxAge(Duration.ofHours(1)).build();
        start(hour);
        var old = say("old");
        world.settle();
        world.client().close();
        world.advance(30 * 60_000);
        start(hour);
        var young = say("young");
        world.advance(30 * 60_000);
        assertEquals(List.of(), dropped());
        world.connected();
        assertEquals(List.of("old connection_lost"), dropped());
        assertEquals(List.of("young"), world.peer().says());
        assertTrue(old.isDone());
        assertTrue(young.isDone());
    }

    /** Writes a message in one process, and connects another one by these clocks. */
    private void sendThenConnect(Duration wallClock, Duration serversClock) {
        long now = world.time.currentTimeMillis();
        start();
        var unused = say("text");
        world.settle();
        world.client().close();
        world.settle();
        world.time.jumpWallClock(wallClock);
        start();
        world.advance(1_000);
        assertEquals(List.of(), dropped());
        world.onHello = peer -> peer.welcome(now + serversClock.toMillis());
        world.connected();
    }

    @Test
    void restoredMessageIsSentThoughWallClockJumped() {
        sendThenConnect(Duration.ofHours(13), Duration.ZERO);
        assertEquals(List.of("text*"), world.peer().says());
    }

    @Test
    void restoredMessageTooOldForServerIsDroppedThoughWallClockIsBehind() {
        sendThenConnect(Duration.ZERO, Duration.ofHours(13));
        assertEquals(List.of("text connection_lost"), dropped());
        assertEquals(List.of(), world.peer().says());
    }

    @Test
    void restoredMessageAgesBySleepAfterFirstWelcome() {
        world.acks = false;
        sendThenConnect(Duration.ofDays(-9), Duration.ofHours(11));
        assertEquals(List.of("text*"), world.peer().says());
        long then = world.time.currentTimeMillis() + Duration.ofDays(9).toMillis();
        world.time.jumpWallClock(Duration.ofHours(2));
        world.onHello = peer -> peer.welcome(then + Duration.ofHours(13).toMillis());
        world.network.cutAll();
        world.advance(30_000);
        assertEquals(List.of("text connection_lost"), dropped());
    }

    @Test
    void aClockThatWasPutBackMakesNoMessageOlder() {
        start();
        var sent = say("kept");
        world.settle();
        world.client().close();
        world.settle();
        world.time.jumpWallClock(Duration.ofDays(-10_000));
        start();
        world.advance(Duration.ofHours(12).toMillis() - 100);
        assertEquals(List.of(), world.dropped);
        world.advance(100);
        assertEquals(List.of("kept connection_lost"), dropped());
        assertTrue(sent.isDone());
    }

    @Test
    void aRestoredMessageThatIsTooLongForTheServerIsReported() {
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
    void theServersErrorAboutARestoredMessageReachesTheListenerAsADrop() {
        start();
        var sent = say("bad");
        world.settle();
        restart();
        world.acks = false;
        world.connected();
        world.peer().send("{\"type\":\"$error\",\"seq\":1,\"data\":{\"code\":\"forbidden\",\"message\":\"no\"}}");
        world.settle();
        assertEquals(List.of("bad forbidden"), dropped());
        assertTrue(sent.isDone());
        restart();
        world.connected();
        assertEquals(List.of(), world.peer().says());
    }

    @Test
    void aDroppedMessageIsReadWithItsContractOnly() {
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

    @Test
    void aFloodIntoADiskThatHangsStaysWithinTheLimitsAndReachesTheFileWithoutTheDropped() {
        OutboxLimits newest = OutboxLimits.builder()
                .messages(3)
                .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                .build();
        start(newest);
        world.connected();
        holdsWrites = true;
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            sent.add(say("m" + i));
            world.settle();
        }
        assertEquals(997, world.dropped.size());
        assertEquals(1, held.size());
        letWrite();
        assertEquals(List.of("m997", "m998", "m999"), world.peer().says());
        assertDone(sent.get(999));
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

    @Test
    void anOldCopyThatHasNumberedBeyondTheServerIsNoticedToo() {
        start();
        var first = say("first");
        var second = say("second");
        var third = say("third");
        world.seq = 2; // so these numbers were another message's
        world.connected();
        assertEquals(List.of("first storage", "second storage"), dropped());
        assertEquals(List.of(3L), numbers());
        assertTrue(first.isCompletedExceptionally() && second.isCompletedExceptionally());
        assertDone(third);
    }

    @Test
    void whatAnOldCopyOfTheFileNumbersLikeWhatTheServerHasProcessedIsReported() {
        start();
        var restored = say("restored");
        world.settle();
        restart();
        var unsent = say("unsent");
        world.seq = 40; // from the numbers that the copy has never heard of
        world.connected();
        assertEquals(List.of("unsent storage"), dropped());
        var next = say("next");
        world.settle();
        assertEquals(List.of(41L), numbers());
        assertDone(next);
        assertTrue(restored.isDone() && unsent.isDone());
    }

    @ParameterizedTest(name = "seed {0}")
    @ValueSource(ints = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
    void aCrashAtAnyMomentForgetsNoNumberThatTheServerHasSeen(int seed) throws IOException {
        Random random = new Random(seed);
        Map<Long, String> seen = new TreeMap<>();
        Set<String> texts = new HashSet<>();
        world.acks = false;
        world.use(world.builder().outboxFile(open(directory.resolve("0"))));
        for (int round = 1; round <= 40; round++) {
            world.connected();
            for (int i = 0; i < random.nextInt(10); i++) {
                holdsWrites = random.nextInt(3) > 0;
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
            holdsWrites = false;
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
    void cancelBehindCloseLeavesTheMessageInItsFile() {
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
    void cancelledMessageUnderWayIsTakenOutOfTheFile() {
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

    @Test
    void fileThatIsDeletedWhileOpenIsWrittenAnew() throws IOException {
        FileOutbox outbox = open();
        world.use(world.builder().outboxFile(outbox));
        var first = say("first");
        world.settle();
        Files.delete(directory.resolve("outbox"));
        CompletableFuture<Void> safe = outbox.sync();
        world.settle();
        assertDone(safe);
        assertTrue(Files.size(directory.resolve("outbox")) > OutboxJournal.HEADER);
        Files.delete(directory.resolve("outbox"));
        var second = say("second");
        restart();
        world.connected();
        assertEquals(List.of("first*", "second*"), world.peer().says());
        assertEquals(List.of(1L, 2L), numbers());
        assertTrue(first.isDone() && second.isDone());
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void whatDamageLostIsToldAndTheRestIsSent() throws IOException {
        start();
        List<CompletableFuture<Void>> sent = List.of(say("one"), say("two"), say("three"));
        world.settle();
        world.client().close();
        world.settle();
        Path file = directory.resolve("outbox");
        byte[] bytes = Files.readAllBytes(file);
        int payload = new String(bytes, StandardCharsets.ISO_8859_1).indexOf("{\"text\":\"one\"}");
        bytes[payload + 3] ^= 4;
        Files.write(file, bytes);
        start();
        world.connected();
        assertEquals(List.of("two*", "three*"), world.peer().says());
        assertEquals(1, world.dropped.size());
        DroppedMessage lost = world.dropped.get(0);
        assertEquals("chat.say", lost.name());
        assertEquals(ErrorCode.STORAGE, lost.cause().code());
        assertThrows(PayloadException.class, () -> lost.data(World.SAY));
        assertEquals(1, world.errors.size());
        String told = String.valueOf(world.errors.get(0).getMessage());
        assertTrue(told.contains("bytes in 1 places could not be read"), told);
        assertTrue(Files.exists(directory.resolve("outbox.damaged-1")));
        var next = say("next");
        world.settle();
        assertTrue(numbers().get(2) > 1L << 32, numbers().toString());
        assertDone(next);
        sent.forEach(one -> assertTrue(one.isDone()));
        world.errors.clear();
        world.dropped.clear();
        restart();
        world.settle();
        assertEquals(List.of(), world.errors);
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void tornFileOnFullDiskOpensAndItsMessagesAreSent() throws IOException {
        start();
        world.acks = false;
        world.connected(); // so that the file has its user
        var sent = List.of(say("one"), say("two"));
        world.settle();
        world.client().close();
        world.settle();
        Path file = directory.resolve("outbox");
        byte[] bytes = Files.readAllBytes(file);
        Files.write(file, Arrays.copyOf(bytes, bytes.length - 3));
        disk.full = true;
        start();
        world.connected();
        assertEquals(List.of("one*"), world.peer().says());
        CompletableFuture<Void> refused = say("three");
        world.settle();
        assertEquals(ErrorCode.STORAGE, failure(refused).code());
        disk.full = false;
        world.acks = true;
        CompletableFuture<Void> taken = say("four");
        world.settle();
        assertDone(taken);
        sent.forEach(one -> assertTrue(one.isDone()));
    }

    @Test
    void fileThatIsGoneFailsSyncAndHoldsMessagesBack() throws IOException {
        Path gone = Files.createDirectory(directory.resolve("gone"));
        FileOutbox outbox = open(gone.resolve("outbox"));
        world.use(world.builder().outboxFile(outbox));
        var sent = say("one");
        world.settle();
        for (Path file : List.of(gone.resolve("outbox"), gone.resolve("outbox.lock"), gone)) {
            Files.delete(file);
        }
        for (int i = 0; i < 2; i++) {
            CompletableFuture<Void> safe = outbox.sync();
            world.settle();
            assertEquals(ErrorCode.STORAGE, failure(safe).code());
        }
        world.connected();
        world.advance(5_000);
        assertEquals(List.of(), world.peer().says());
        Files.createDirectory(gone);
        world.advance(1_000);
        assertEquals(List.of("one"), world.peer().says());
        assertTrue(Files.exists(gone.resolve("outbox")));
        assertDone(sent);
    }
}
