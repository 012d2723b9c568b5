package io.realtime.client.internal.outbox;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.OutboxLimits;
import io.realtime.internal.wire.Outgoing;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What an outbox holds, gives out and forgets, call by call. */
class OutboxTest {
    private static final int MANY = 1 << 20;

    private final List<Outbox> outboxes = new ArrayList<>();
    private final Outbox outbox = outbox(OutboxLimits.defaults(), false);

    private Outbox outbox(OutboxLimits limits, boolean stores) {
        Outbox made = new Outbox(limits, stores, 8_000);
        outboxes.add(made);
        return made;
    }

    /** A lock that was kept would hold up another thread for ever. */
    @AfterEach
    void noLockIsKept() throws Exception {
        for (Outbox one : outboxes) {
            assertNotNull(CompletableFuture.supplyAsync(one::lastSeq).get(10, TimeUnit.SECONDS));
        }
    }

    private static OutboxEntry entry(int length) {
        return new OutboxEntry(
                "e",
                null,
                null,
                Outgoing.of("e").rawData('"' + "x".repeat(length) + '"'),
                new CompletableFuture<>(),
                0,
                0);
    }

    /** Adds a message that may leave at once. */
    private static OutboxEntry add(Outbox to, int length) {
        OutboxEntry entry = entry(length);
        assertEquals(List.of(), to.add(entry));
        to.admit(entry);
        return entry;
    }

    /** Adds a message that is on its way. */
    private static OutboxEntry send(Outbox to, int length) {
        OutboxEntry entry = add(to, length);
        List<OutboxEntry> unsent = to.unsent(100, MANY, MANY);
        assertEquals(List.of(entry), unsent);
        to.sent(unsent);
        return entry;
    }

    private static List<OutboxEntry> entries(List<Outbox.Dropped> dropped) {
        List<OutboxEntry> entries = new ArrayList<>();
        dropped.forEach(one -> entries.add(one.entry()));
        return entries;
    }

    // ---- room

    @Test
    void messageThatFillsTheOutboxFitsAndOneByteMoreDoesNot() {
        long cost = entry(100).cost();
        Outbox full = outbox(OutboxLimits.builder().bytes(cost).build(), false);
        assertEquals(List.of(), full.add(entry(100)));
        Outbox tooSmall = outbox(OutboxLimits.builder().bytes(cost - 1).build(), false);
        List<Outbox.Dropped> dropped = tooSmall.add(entry(100));
        assertEquals(ErrorCode.TOO_BIG, dropped.get(0).cause().code());
    }

    @Test
    void oldestIsDroppedOnlyIfThatMakesRoom() {
        long cost = entry(100).cost();
        Outbox full = outbox(
                OutboxLimits.builder()
                        .bytes(3 * cost)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build(),
                false);
        OutboxEntry onItsWay = send(full, 100);
        OutboxEntry second = add(full, 100);
        OutboxEntry third = add(full, 100);
        OutboxEntry large = entry((int) (100 + 2 * cost + 1));
        assertEquals(List.of(large), entries(full.add(large)), "it would not fit where the two were");
        OutboxEntry fits = entry((int) (100 + cost));
        assertEquals(List.of(second, third), entries(full.add(fits)));
        assertTrue(full.holds(onItsWay) && full.holds(fits));
        assertFalse(full.holds(second) || full.holds(large));
    }

    @Test
    void messagesInFlightCountAgainstTheNumberOfMessages() {
        Outbox two = outbox(
                OutboxLimits.builder()
                        .messages(2)
                        .overflow(OutboxLimits.Overflow.DROP_OLDEST)
                        .build(),
                false);
        OutboxEntry sent = send(two, 1);
        OutboxEntry leaving = add(two, 1);
        assertEquals(List.of(leaving), two.unsent(100, MANY, MANY));
        OutboxEntry more = entry(1);
        assertEquals(List.of(more), entries(two.add(more)), "neither can be dropped");
        two.notSent(List.of(leaving));
        OutboxEntry newer = entry(1);
        assertEquals(List.of(leaving), entries(two.add(newer)));
        assertTrue(two.holds(sent));
    }

    @Test
    void halfFullByCountOrByBytes() {
        long cost = entry(100).cost();
        Outbox byBytes = outbox(OutboxLimits.builder().bytes(4 * cost).build(), false);
        add(byBytes, 100);
        assertFalse(byBytes.isHalfFull());
        add(byBytes, 100);
        assertTrue(byBytes.isHalfFull());
        Outbox byCount = outbox(OutboxLimits.builder().messages(5).build(), false);
        add(byCount, 1);
        add(byCount, 1);
        assertFalse(byCount.isHalfFull());
        add(byCount, 1);
        assertTrue(byCount.isHalfFull());
    }

    @Test
    void longestMessageIsHalfOfWhatConnectionHoldsOrWhatServerTakes() {
        int most = 4_000 - entry(0).wireLength();
        assertNull(outbox.tooBigOrNull(entry(most)));
        RealtimeException own = outbox.tooBigOrNull(entry(most + 1));
        assertTrue(String.valueOf(own).contains("this client sends 4000 at most"), String.valueOf(own));
        assertEquals(List.of(), outbox.limitMessages(4_000));
        RealtimeException still = outbox.tooBigOrNull(entry(most + 1));
        assertTrue(String.valueOf(still).contains("this client"), String.valueOf(still));
        OutboxEntry waiting = add(outbox, most);
        assertEquals(List.of(waiting), entries(outbox.limitMessages(3_999)));
        RealtimeException servers = outbox.refusalOrNull(entry(most));
        assertTrue(String.valueOf(servers).contains("the server takes 3999"), String.valueOf(servers));
    }

    // ---- on the way

    @Test
    void batchHoldsAsManyBytesAsItMayAndAtLeastOneMessage() {
        OutboxEntry one = add(outbox, 100);
        OutboxEntry two = add(outbox, 100);
        OutboxEntry three = add(outbox, 100);
        int length = one.wireLength();
        assertEquals(List.of(one), outbox.unsent(100, MANY, 1));
        outbox.notSent(List.of(one));
        assertEquals(List.of(one), outbox.unsent(100, MANY, 2 * length - 1));
        outbox.notSent(List.of(one));
        assertEquals(List.of(one, two), outbox.unsent(100, MANY, 2 * length));
        outbox.notSent(List.of(one, two));
        assertEquals(List.of(one, two), outbox.unsent(100, 2L * length, MANY));
        outbox.notSent(List.of(one, two));
        assertEquals(List.of(one), outbox.unsent(100, 2L * length - 1, MANY));
        outbox.sent(List.of(one));
        assertEquals(List.of(), outbox.unsent(1, MANY, MANY), "one is unacknowledged");
        assertEquals(List.of(two), outbox.unsent(2, MANY, MANY));
        outbox.notSent(List.of(two));
        assertEquals(List.of(two, three), outbox.unsent(100, 3L * length, MANY));
    }

    @Test
    void unsentMessagesKeepTheirOrder() {
        OutboxEntry one = add(outbox, 1);
        OutboxEntry two = add(outbox, 1);
        List<OutboxEntry> unsent = outbox.unsent(100, MANY, MANY);
        assertEquals(List.of(one, two), unsent);
        OutboxEntry three = add(outbox, 1);
        outbox.notSent(unsent);
        assertFalse(outbox.wasSent(one));
        assertEquals(List.of(one, two, three), outbox.unsent(100, MANY, MANY));
        outbox.sent(List.of(one, two, three));
        assertTrue(outbox.wasSent(one));
        outbox.connectionLost();
        assertEquals(List.of(one, two, three), outbox.unsent(100, MANY, MANY));
    }

    @Test
    void messageDroppedInFlightEndsWithItsConnection() {
        OutboxEntry one = send(outbox, 1);
        assertTrue(outbox.giveUp(one));
        assertFalse(outbox.giveUp(one));
        assertTrue(outbox.holds(one), "the server counts it");
        outbox.connectionLost();
        assertFalse(outbox.holds(one));
        assertEquals(List.of(), outbox.unsent(100, MANY, MANY));
        assertTrue(outbox.isDone(1));
        Outbox small = outbox(OutboxLimits.builder().messages(1).build(), false);
        OutboxEntry given = send(small, 1);
        assertTrue(small.giveUp(given));
        small.connectionLost();
        assertEquals(List.of(), small.add(entry(1)), "its place is free");
    }

    @Test
    void whatWasSentIsAcknowledgedThoughItWaitsToBeSentAgain() {
        OutboxEntry one = send(outbox, 1);
        OutboxEntry two = send(outbox, 1);
        outbox.connectionLost();
        OutboxEntry three = add(outbox, 1);
        assertEquals(List.of(one, two), outbox.acknowledged(3));
        assertTrue(outbox.holds(three), "it was never sent");
        assertEquals(List.of(three), outbox.unsent(100, MANY, MANY));
        assertTrue(outbox.isDone(2));
        assertFalse(outbox.isDone(3));
    }

    @Test
    void longestInFlightIsTheFirstOfTheLongest() {
        assertNull(outbox.longestInflight());
        send(outbox, 5);
        OutboxEntry longest = send(outbox, 50);
        send(outbox, 50);
        assertSame(longest, outbox.longestInflight());
    }

    @Test
    void heldOutboxSendsNothing() {
        OutboxEntry one = add(outbox, 1);
        assertFalse(outbox.isHeld());
        outbox.hold(true);
        assertTrue(outbox.isHeld());
        assertEquals(List.of(), outbox.unsent(100, MANY, MANY));
        outbox.hold(false);
        assertEquals(List.of(one), outbox.unsent(100, MANY, MANY));
    }

    @Test
    void whatTheServerHasProcessedIsNotSentAgain() {
        send(outbox, 1);
        send(outbox, 1);
        OutboxEntry third = send(outbox, 1);
        outbox.connectionLost();
        OutboxEntry fourth = add(outbox, 1);
        outbox.resumed(2);
        assertEquals(List.of(third, fourth), outbox.unsent(100, MANY, MANY));
        outbox.notSent(List.of(third, fourth));
        outbox.resumed(4); // the fourth was never sent: that is another message's number
        assertEquals(List.of(fourth), outbox.unsent(100, MANY, MANY));
    }

    // ---- age, and the end

    @Test
    void messageAgesWhileMachineSleepsByWhatBothClocksSay() {
        Outbox hour = outbox(OutboxLimits.builder().maxAge(Duration.ofHours(1)).build(), false);
        add(hour, 1);
        long minute = Duration.ofMinutes(1).toNanos();
        hour.slept(minute, Duration.ofMinutes(31).toMillis(), 30 * minute);
        assertEquals(Duration.ofMinutes(29), hour.untilExpiry(minute));
        hour.slept(minute, Duration.ofMinutes(31).toMillis(), 30 * minute);
        assertEquals(Duration.ofMinutes(29), hour.untilExpiry(minute), "the wall clock has not moved since");
        assertEquals(List.of(), hour.expire(30 * minute - 1));
        assertEquals(1, hour.expire(30 * minute).size());
    }

    /** The lesser of what both clocks say: one of them may have been set. */
    @Test
    void messageAgesNoMoreThanTheWallClockHasAdvanced() {
        Outbox hour = outbox(OutboxLimits.builder().maxAge(Duration.ofHours(1)).build(), false);
        long minute = Duration.ofMinutes(1).toNanos();
        long begin = Duration.ofDays(1).toNanos();
        long wall = Duration.ofDays(20_000).toMillis();
        Outgoing message = Outgoing.of("e").rawData("1");
        assertEquals(
                List.of(), hour.add(new OutboxEntry("e", null, null, message, new CompletableFuture<>(), begin, wall)));
        hour.slept(begin + minute, wall + Duration.ofMinutes(21).toMillis(), 30 * minute);
        assertEquals(Duration.ofMinutes(39), hour.untilExpiry(begin + minute));
    }

    @Test
    void messageOfEarlierProcessIsAsOldAsServersClockSays() {
        Outbox hour = outbox(OutboxLimits.builder().maxAge(Duration.ofHours(1)).build(), true);
        long wall = Duration.ofDays(20_000).toMillis();
        long begin = Duration.ofDays(1).toNanos();
        StoredMessage stored = new StoredMessage(7, wall, "e", null, false, ByteBuffer.wrap(new byte[] {'1'}));
        assertEquals(List.of(), hour.restore(List.of(new OutboxEntry(stored, begin, wall)), 7));
        assertEquals(Duration.ofHours(1), hour.untilExpiry(begin));
        hour.ageRestored(begin, wall + Duration.ofMinutes(20).toMillis());
        assertEquals(Duration.ofMinutes(40), hour.untilExpiry(begin));
    }

    @Test
    void closedOutboxRefusesAndForgets() {
        OutboxEntry sent = send(outbox, 1);
        OutboxEntry waiting = add(outbox, 1);
        assertEquals(List.of(sent, waiting), entries(outbox.close()));
        assertTrue(outbox.isDone(2), "nothing is here any more");
        List<Outbox.Dropped> refused = outbox.add(entry(1));
        assertEquals(ErrorCode.CLOSED, refused.get(0).cause().code());
        assertFalse(outbox.giveUp(sent));
    }

    @Test
    void outboxOfAnotherUserIsEmptied() {
        OutboxEntry sent = send(outbox, 1);
        OutboxEntry waiting = add(outbox, 1);
        RealtimeException why = new RealtimeException(ErrorCode.USER_CHANGED, "another user");
        assertEquals(List.of(sent, waiting), entries(outbox.removeAll(why)));
        assertTrue(outbox.isDone(Long.MAX_VALUE));
        assertNull(outbox.longestInflight());
        OutboxEntry next = send(outbox, 1);
        assertEquals(3, next.seq());
        assertFalse(next.isRestored());
    }

    @Test
    void fileLearnsWhatIsAddedAndRemovedOnce() {
        Outbox stored = outbox(OutboxLimits.defaults(), true);
        OutboxEntry one = add(stored, 1);
        assertEquals(List.of(), stored.unsent(100, MANY, MANY), "it is not on the disk");
        Outbox.Changes added = stored.changes();
        assertEquals(List.of(one), added.added());
        stored.stored(added);
        assertEquals(List.of(one), stored.kept());
        assertEquals(List.of(one), stored.unsent(100, MANY, MANY));
        stored.sent(List.of(one));
        assertEquals(List.of(one), stored.acknowledged(1));
        Outbox.Changes removed = stored.changes();
        assertEquals(List.of(), removed.added());
        assertEquals(List.of(1L), removed.removed());
        stored.stored(removed);
        assertEquals(List.of(), stored.changes().removed());
    }

    @Test
    void fileForgetsOnlyWhatItHasOrIsTakingIn() {
        Outbox stored = outbox(OutboxLimits.defaults(), true);
        OutboxEntry one = add(stored, 1);
        OutboxEntry two = add(stored, 1);
        Outbox.Changes taken = stored.changes();
        assertTrue(stored.giveUp(one), "the file is taking it in");
        stored.stored(taken);
        assertTrue(stored.giveUp(two), "the file has it");
        OutboxEntry three = add(stored, 1);
        assertTrue(stored.giveUp(three), "the file has not heard of it");
        assertEquals(List.of(1L, 2L), stored.changes().removed());
        Outbox memory = outbox(OutboxLimits.defaults(), false);
        assertTrue(memory.giveUp(add(memory, 1)));
        assertEquals(List.of(), memory.changes().removed());
    }

    /** The server has numbers of this client that its file knows nothing of. */
    @Test
    void oldCopyOfAFileSkipsTheNumbersThatWereUsed() {
        Outbox stored = outbox(OutboxLimits.defaults(), true);
        OutboxEntry one = add(stored, 1);
        OutboxEntry two = add(stored, 1);
        List<Outbox.Dropped> dropped = stored.skip(1);
        assertEquals(List.of(one), entries(dropped));
        assertEquals(ErrorCode.STORAGE, dropped.get(0).cause().code());
        assertTrue(stored.holds(two));
        assertEquals(List.of(), stored.skip(OutboxJournal.LARGEST_SEQ + 1), "no server has such a number");
        assertEquals(2, stored.lastSeq());
        assertEquals(List.of(two), entries(stored.skip(OutboxJournal.LARGEST_SEQ)));
        assertEquals(OutboxJournal.LARGEST_SEQ, stored.lastSeq());
        OutboxEntry kept = add(outbox, 1);
        assertEquals(List.of(), outbox.skip(1), "without a file there is no old copy");
        assertTrue(outbox.holds(kept));
    }
}
