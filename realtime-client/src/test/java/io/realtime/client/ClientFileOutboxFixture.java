package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.RealtimeException;
import io.realtime.client.World.Say;
import io.realtime.client.internal.outbox.BrokenDisk;
import io.realtime.client.internal.outbox.OutboxFile;
import io.realtime.testing.HeldExecutor;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;

/** A client whose outbox is in a file, on a disk that the test holds or breaks. */
abstract class ClientFileOutboxFixture {
    @TempDir
    Path directory;

    final World world = new World();
    final BrokenDisk disk = new BrokenDisk();
    final HeldExecutor writes = HeldExecutor.passingTo(world.time);
    boolean hasThreads = true;

    @AfterEach
    final void nothingIsLeft() {
        writes.pass();
        letWrite();
        world.close();
    }

    final void write(Runnable task) {
        if (!hasThreads) {
            throw new OutOfMemoryError("unable to create native thread");
        }
        writes.execute(task);
    }

    final void letWrite() {
        writes.runAll();
        world.settle();
    }

    final FileOutbox open() {
        return open(directory.resolve("outbox"));
    }

    final FileOutbox open(Path file) {
        try {
            return new FileOutbox(OutboxFile.open(file, this::write, () -> {}, disk));
        } catch (IOException failure) {
            throw new AssertionError(failure);
        }
    }

    final RealtimeClient start() {
        return start(OutboxLimits.defaults());
    }

    final RealtimeClient start(OutboxLimits limits) {
        return world.use(world.builder().outbox(limits).outboxFile(open()));
    }

    /** Ends the process and begins another. */
    final RealtimeClient restart() {
        return restart(OutboxLimits.defaults());
    }

    final RealtimeClient restart(OutboxLimits limits) {
        world.client().close();
        world.settle();
        return start(limits);
    }

    final CompletableFuture<Void> say(String text) {
        return world.client().send(World.SAY, new Say(text));
    }

    final List<Long> numbers() {
        List<Long> numbers = new ArrayList<>();
        world.peer().all("chat.say").forEach(frame -> numbers.add(frame.seq()));
        return numbers;
    }

    final List<String> dropped() {
        List<String> texts = new ArrayList<>();
        world.dropped.forEach(message ->
                texts.add(message.data(World.SAY).text() + " " + message.cause().code()));
        return texts;
    }

    static void assertDone(CompletableFuture<?> sent) {
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally(), String.valueOf(sent));
    }

    static RealtimeException failure(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return (RealtimeException) Objects.requireNonNull(failure);
    }
}
