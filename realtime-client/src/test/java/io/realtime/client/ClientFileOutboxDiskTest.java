package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.World.Say;
import io.realtime.client.internal.outbox.BrokenDisk;
import io.realtime.client.internal.outbox.OutboxJournal;
import io.realtime.client.internal.outbox.StoredMessage;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What a client does while its outbox's disk is slow, full or without a thread. */
class ClientFileOutboxDiskTest extends ClientFileOutboxFixture {
    private List<String> order() {
        return world.peer().frames.stream().map(Envelope::type).toList();
    }

    @Test
    void messageIsSentOnceItIsStored() {
        start();
        world.connected();
        writes.hold();
        CompletableFuture<Void> sent = say("one");
        world.settle();
        assertEquals(List.of(), world.peer().says());
        letWrite();
        assertEquals(List.of("one"), world.peer().says());
        assertDone(sent);
    }

    @Test
    void leaveWaitsForUnstoredMessagesAndJoinDoesNot() {
        start();
        world.connected();
        world.peer().frames.clear();
        ClientRoom room = world.client().room("r");
        writes.hold();
        List<CompletableFuture<?>> asked = List.of(
                room.join(),
                room.send(World.SAY, new Say("inside")),
                room.leave(),
                world.client().send(World.TYPING, new Say("typing")));
        world.settle();
        assertEquals(List.of(Protocol.JOIN, "chat.typing"), order());
        letWrite();
        assertEquals(List.of(Protocol.JOIN, "chat.typing", "chat.say", Protocol.LEAVE), order());
        asked.forEach(ClientFileOutboxDiskTest::assertDone);
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
    void closeStoresPendingMessages() {
        start();
        writes.hold();
        CompletableFuture<Void> sent = say("late");
        world.client().close();
        world.settle();
        assertEquals(ErrorCode.CLOSED, failure(sent).code());
        letWrite();
        assertEquals(List.of(), world.dropped);
        writes.pass();
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
        writes.hold();
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
    void messagesThatCloseCannotStoreAreReported() {
        start();
        disk.full = true;
        CompletableFuture<Void> sent = say("lost");
        world.client().close(Duration.ZERO);
        world.settle();
        assertEquals(ErrorCode.CLOSED, failure(sent).code());
        assertEquals(List.of("lost storage"), dropped());
    }

    @Test
    void fullDiskFailsMessagesUntilItHasRoom() {
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
        writes.hold();
        var kept = say("kept");
        List<CompletableFuture<Void>> waiting = new ArrayList<>();
        for (int i = 0; i < 1_001; i++) {
            waiting.add(outbox.sync());
        }
        world.settle();
        assertEquals(ErrorCode.OVERLOADED, failure(waiting.remove(1_000)).code());
        assertFalse(waiting.get(0).isDone());
        letWrite();
        waiting.forEach(ClientFileOutboxDiskTest::assertDone);
        assertFalse(kept.isDone());
    }

    @Test
    void floodIntoAHangingDiskStaysWithinTheLimits() {
        OutboxLimits newest = OutboxLimits.builder()
                .messages(3)
                .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                .build();
        start(newest);
        world.connected();
        writes.hold();
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            sent.add(say("m" + i));
            world.settle();
        }
        assertEquals(997, world.dropped.size());
        assertEquals(1, writes.size());
        letWrite();
        assertEquals(List.of("m997", "m998", "m999"), world.peer().says());
        assertDone(sent.get(999));
    }
}
