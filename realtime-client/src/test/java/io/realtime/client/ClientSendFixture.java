package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.World.Say;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;

/** A client that sends, and its server in virtual time. */
abstract class ClientSendFixture {
    final World world = new World();

    @AfterEach
    final void nothingIsLeft() {
        world.close();
    }

    final CompletableFuture<Void> say(String text) {
        return world.client().send(World.SAY, new Say(text));
    }

    static void assertDone(CompletableFuture<Void> sent) {
        assertTrue(sent.isDone() && !sent.isCompletedExceptionally(), String.valueOf(sent));
    }

    static void assertFailed(ErrorCode code, CompletableFuture<?> sent) {
        assertTrue(sent.isDone(), String.valueOf(sent));
        Throwable failure = assertThrows(ExecutionException.class, sent::get).getCause();
        assertEquals(code, ((RealtimeException) Objects.requireNonNull(failure)).code());
    }
}
