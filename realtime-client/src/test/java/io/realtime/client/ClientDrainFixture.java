package io.realtime.client;

import static io.realtime.client.World.SAY;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.client.World.Say;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;

/** A client with something left to deliver, and the time that closing it takes. */
abstract class ClientDrainFixture {
    static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    final World world = new World();

    @AfterEach
    final void close() {
        world.close();
    }

    final CompletableFuture<Void> say(String text) {
        return world.client().send(SAY, new Say(text));
    }

    /** Connects and sends a message that the server does not acknowledge. */
    final CompletableFuture<Void> sayInVain() {
        world.acks = false;
        world.connected();
        return say("a");
    }

    final long millis() {
        return world.time.nanoTime() / 1_000_000;
    }

    final void assertTook(long expected, long more, long begin) {
        long took = millis() - begin;
        assertTrue(took >= expected && took <= expected + more, took + " ms");
    }

    static ErrorCode code(CompletableFuture<?> failed) {
        ExecutionException failure = assertThrows(ExecutionException.class, failed::get);
        return assertInstanceOf(RealtimeException.class, failure.getCause()).code();
    }
}
