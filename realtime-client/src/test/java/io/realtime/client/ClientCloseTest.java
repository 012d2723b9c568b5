package io.realtime.client;

import static io.realtime.client.World.SAY;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What close waits for, and for how long. */
class ClientCloseTest extends ClientDrainFixture {
    private static List<String> types(World.Peer peer) {
        return peer.frames.stream().map(Envelope::type).toList();
    }

    @Test
    void closeDeliversWhatWasSentBeforeConnectionWasThere() throws Exception {
        CompletableFuture<Void> connected = world.client().connect();
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        CompletableFuture<Void> sent = world.client().room("r").send(SAY, new Say("a"));
        world.client().close();
        world.settle();
        assertEquals(List.of(Protocol.HELLO, Protocol.JOIN, "chat.say"), types(world.peer()));
        connected.get();
        assertEquals(3, joined.get().members());
        sent.get();
        assertEquals(List.of(), world.dropped);
        assertTrue(millis() < 1_000, "as soon as all is delivered");
    }

    @Test
    void closeNamesMessagesThatItCouldNotDeliver() {
        CompletableFuture<Void> sent = sayInVain();
        long begin = millis();
        world.client().close(Duration.ofSeconds(2));
        assertTook(2_000, 20, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
        assertEquals(1, world.dropped.size());
        assertEquals("chat.say", world.dropped.get(0).name());
    }

    @Test
    void closeAtOnceWaitsForNothing() {
        CompletableFuture<Void> sent = sayInVain();
        long begin = millis();
        world.client().close(Duration.ZERO);
        assertEquals(begin, millis());
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
    }

    @Test
    void closeOfDisconnectedClientDoesNotWait() {
        CompletableFuture<Void> sent = say("a");
        long begin = millis();
        world.client().close();
        assertTook(0, 2, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
    }

    @Test
    void clientWithNothingToDeliverDoesNotWaitForItsConnection() {
        world.onHello = peer -> {}; // never welcomed
        CompletableFuture<Void> connecting = world.client().connect();
        world.settle();
        long begin = millis();
        world.client().close();
        assertTook(0, 2, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(connecting));
    }

    @Test
    void closeWaitsForTheNextAttemptThatIsDueInTime() throws Exception {
        world.connected();
        world.network.cutAll();
        world.settle();
        CompletableFuture<Void> sent = say("a");
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        world.client().close();
        world.settle();
        sent.get();
        assertEquals(List.of("a"), world.peer().says());
    }

    @Test
    void closeWaitsForNoAttemptThatIsDueLater() {
        world.network.refuseConnections(true);
        CompletableFuture<Void> unused = world.client().connect();
        world.advance(60_000);
        assertEquals(Status.WAITING, world.client().state().status());
        CompletableFuture<Void> sent = say("a");
        long begin = millis();
        world.client().close(Duration.ofMillis(1));
        assertTook(0, 1, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
    }

    /** An attempt that begins as the grace ends delivers nothing. */
    @Test
    void closeWaitsForNoAttemptThatIsDueAsTheGraceEnds() {
        world.advance(3_600_000); // whatever the clock says
        world.network.refuseConnections(true);
        CompletableFuture<Void> unused = world.client().connect();
        CompletableFuture<Void> sent = say("a");
        while (world.states.isEmpty() || world.lastState().status() != Status.WAITING) {
            world.advance(1);
        }
        long begin = millis();
        world.client().close(world.lastState().delay());
        assertTook(0, 1, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
    }

    @Test
    void messagesInAFileNeedNoNextAttempt(@TempDir Path directory) throws Exception {
        world.use(world.builder().outboxFile(FileOutbox.open(directory.resolve("outbox"))));
        world.network.refuseConnections(true);
        CompletableFuture<Void> unused = world.client().connect();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        CompletableFuture<Void> sent = say("a");
        long begin = millis();
        world.client().close();
        assertTook(0, 2, begin);
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(sent));
        assertEquals(List.of(), world.dropped, "it is in the file");
    }

    @Test
    void closeThatEndsAtOnceEndsAnotherThatWaits() {
        CompletableFuture<Void> unused = sayInVain();
        long begin = millis();
        world.time.schedule(Duration.ofSeconds(1), () -> world.client().close(Duration.ZERO));
        world.client().close();
        assertTook(1_000, 20, begin);
    }

    @Test
    void interruptedThreadDoesNotWait() {
        CompletableFuture<Void> unused = sayInVain();
        long begin = millis();
        Thread.currentThread().interrupt();
        world.client().close();
        assertTrue(Thread.interrupted(), "it stays interrupted");
        assertEquals(begin, millis());
    }
}
