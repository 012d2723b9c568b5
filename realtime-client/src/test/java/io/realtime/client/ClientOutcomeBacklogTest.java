package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.HistoryQuery;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.client.World.Say;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.OutcomeBacklog;
import io.realtime.internal.wire.Protocol;
import io.realtime.testing.HeldExecutor;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the application is not told yet, since its callbacks do not run. */
class ClientOutcomeBacklogTest {
    private static final Request<String, String> ASK = Request.of("test.ask", String.class, String.class);
    private static final StreamRequest<String, Integer> COUNT =
            StreamRequest.of("test.count", String.class, Integer.class);
    private static final int INBOUND_BYTES = 4 << 20;

    /** More callbacks than may wait. */
    private static final int TOO_MANY = OutcomeBacklog.MOST + 2 * INBOUND_BYTES / CallbackDispatcher.OVERHEAD + 100;

    private final World world = new World();
    private final HeldExecutor callbacks = HeldExecutor.passingTo(world.time);

    @BeforeEach
    void callbacksWait() {
        callbacks.hold();
    }

    @AfterEach
    void nothingIsLeft() {
        runCallbacks();
        world.close();
    }

    private RealtimeClient.Builder builder() {
        return world.builder().inboundBytes(INBOUND_BYTES).callbackExecutor(callbacks);
    }

    private void runCallbacks() {
        callbacks.release();
        world.settle();
    }

    private static boolean isOverloaded(CompletableFuture<?> result) {
        if (!result.isCompletedExceptionally()) {
            return false;
        }
        Throwable failure = Objects.requireNonNull(assertThrows(
                        CompletionException.class,
                        () -> result.thenRun(() -> {}).join())
                .getCause());
        return failure instanceof RealtimeException known && known.code().equals(ErrorCode.OVERLOADED);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void refusedMessagesThatWaitToBeReportedAreBounded(boolean isEphemeral) {
        Event<Say> event = isEphemeral ? World.TYPING : World.SAY;
        RealtimeClient client =
                world.use(builder().outbox(OutboxLimits.builder().messages(10).build()));
        int held = isEphemeral ? 0 : 10;
        int sends = 300;
        Say say = new Say("x".repeat(60_000));
        List<CompletableFuture<Void>> results = new ArrayList<>();
        int refusedAtOnce = 0;
        for (int i = 0; i < sends; i++) {
            CompletableFuture<Void> result = client.send(event, say);
            refusedAtOnce += isOverloaded(result) ? 1 : 0;
            results.add(result);
            world.settle();
        }
        runCallbacks();
        assertTrue(results.subList(held, sends).stream().allMatch(CompletableFuture::isCompletedExceptionally));
        assertEquals(sends - held, world.dropped.size() + refusedAtOnce);
        long most = OutcomeBacklog.MOST_BYTES / 60_000 + 1;
        assertTrue(world.dropped.size() <= most, () -> world.dropped.size() + " messages waited to be reported");
        assertEquals(1, world.errors.size(), world.errors::toString);
        String error = String.valueOf(world.errors.get(0).getMessage());
        assertTrue(error.startsWith(refusedAtOnce + " failures and refused messages were not reported"), error);
        assertFalse(client.send(event, say).isDone());
    }

    private enum Asking {
        CONNECT,
        JOIN,
        LEAVE,
        HISTORY,
        EPHEMERAL,
        REQUEST
    }

    private CompletableFuture<?> ask(Asking what) {
        RealtimeClient client = world.client();
        return switch (what) {
            case CONNECT -> client.connect();
            case JOIN -> client.room("r").join();
            case LEAVE -> client.room("r").leave();
            case HISTORY -> client.room("r").history(HistoryQuery.newest(1));
            case EPHEMERAL -> client.send(World.TYPING, new Say("x"));
            case REQUEST -> client.request(ASK, "x");
        };
    }

    @ParameterizedTest
    @EnumSource
    void outcomesThatWaitForTheCallbacksAreBounded(Asking what) {
        world.answersJoins = what != Asking.JOIN;
        world.use(builder());
        var unused = world.client().connect();
        world.settle();
        CompletableFuture<?> result = ask(what);
        for (int i = 1; i < TOO_MANY && !isOverloaded(result); i++) {
            if (i % 100 == 0) {
                world.time.advance(Duration.ofMillis(1));
            }
            result = ask(what);
        }
        assertTrue(isOverloaded(result), what + " goes on for ever");
        runCallbacks();
        assertFalse(world.client().connect().isDone());
    }

    @Test
    void roomIsLeftThoughTheFutureIsRefused() {
        world.use(builder());
        var unused = world.client().connect();
        world.settle();
        var unusedJoin = world.client().room("r").join();
        world.settle();
        CompletableFuture<?> result = ask(Asking.EPHEMERAL);
        for (int i = 1; i < TOO_MANY && !isOverloaded(result); i++) {
            result = ask(Asking.EPHEMERAL);
            world.time.runDue();
        }
        assertTrue(isOverloaded(world.client().room("r").leave()));
        world.settle();
        assertEquals(1, world.peer().all(Protocol.LEAVE).size());
    }

    @Test
    void refusedStreamsThatWaitForTheirListenersAreBounded() {
        world.use(builder());
        HeldExecutor listeners = new HeldExecutor();
        StreamListener<Integer> listener = item -> {};
        RealtimeException refusal = assertThrows(RealtimeException.class, () -> {
            for (int i = 0; i < TOO_MANY; i++) {
                var unused = world.client().stream(COUNT, "x", listener, listeners);
            }
        });
        assertEquals(ErrorCode.OVERLOADED, refusal.code());
        listeners.runAll();
        var unused = world.client().stream(COUNT, "x", listener, listeners);
    }

    @Test
    void streamsThatCannotBeAskedForWaitForTheirListenersBounded() {
        HeldExecutor listeners = new HeldExecutor();
        world.use(world.builder());
        StreamRequest<Double, Integer> unwritable = StreamRequest.of("test.nan", Double.class, Integer.class);
        List<Throwable> told = new ArrayList<>();
        StreamListener<Integer> listener = new StreamListener<>() {
            @Override
            public void onItem(Integer item) {}

            @Override
            public void onError(Throwable failure) {
                told.add(failure);
            }
        };
        RealtimeException refusal = assertThrows(RealtimeException.class, () -> {
            for (int i = 0; i < TOO_MANY; i++) {
                var unused = world.client().stream(unwritable, Double.NaN, listener, listeners);
            }
        });
        assertEquals(ErrorCode.OVERLOADED, refusal.code());
        listeners.runAll();
        assertEquals(OutcomeBacklog.MOST_BYTES / OutcomeBacklog.FAILURE_BYTES + 1, told.size());
        assertTrue(told.stream().allMatch(PayloadException.class::isInstance), "each was told why");
        var unused = world.client().stream(unwritable, Double.NaN, listener, Runnable::run);
    }

    @Test
    void closedReloadHooksLeaveNoCallbacksBehind() {
        world.use(builder());
        for (int i = 0; i < TOO_MANY; i++) {
            world.client().room("r").onReload(gap -> new CompletableFuture<>()).close();
        }
        assertFalse(world.client().connect().isDone());
    }

    @Test
    void disconnectsThatWaitForCallbacksLeaveNoMoreBehind() {
        callbacks.pass();
        world.use(builder());
        world.connected();
        callbacks.hold();
        world.client().room("r").onReload(gap -> new CompletableFuture<>()).close(); // a callback that waits
        for (int i = 0; i < TOO_MANY; i++) {
            world.client().disconnect(Duration.ofHours(1));
            world.advance(0);
        }
        assertFalse(world.client().connect().isDone());
        assertTrue(world.client().isConnected());
        runCallbacks();
        assertEquals(2, world.peers.size(), "it has disconnected when the callbacks had run, and connected again");
    }
}
