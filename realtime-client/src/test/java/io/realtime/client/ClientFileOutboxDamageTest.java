package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.client.internal.outbox.OutboxJournal;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

/** What a client does with an outbox file that is damaged, deleted or an old copy. */
class ClientFileOutboxDamageTest extends ClientFileOutboxFixture {
    @Test
    void oldCopyWithNumbersBeyondTheServersIsDetected() {
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
    void oldCopyThatReusesProcessedNumbersIsReported() {
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
    void damagedMessagesAreReportedAndOthersSent() throws IOException {
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
