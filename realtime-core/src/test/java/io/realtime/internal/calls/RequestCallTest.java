package io.realtime.internal.calls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Json;
import io.realtime.spi.Scheduler;
import java.lang.reflect.Type;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;

class RequestCallTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(10);

    record Picky(int x) {
        Picky {
            if (x < 0) {
                throw new IllegalArgumentException("below zero");
            }
        }
    }

    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();
    private final OpenRequests requests = new OpenRequests("");
    private final Timers timers = new Timers();

    /** Timers that the test fires. */
    private static final class Timers implements Scheduler {
        final List<Runnable> set = new ArrayList<>();
        final List<Duration> delays = new ArrayList<>();

        @Override
        public long nanoTime() {
            return 0;
        }

        @Override
        public long currentTimeMillis() {
            return 0;
        }

        @Override
        public Cancellable schedule(Duration delay, Runnable task) {
            set.add(task);
            delays.add(delay);
            return () -> set.remove(task);
        }
    }

    private <R> CompletableFuture<R> ask(Type type) {
        CompletableFuture<R> result = new CompletableFuture<>();
        RequestCall<R> call = new RequestCall<>(result, Json.payload(type), tasks::add);
        assertTrue(requests.open("q", call));
        call.within(TIMEOUT, timers, requests, "q");
        return result;
    }

    private void run() {
        while (!tasks.isEmpty()) {
            tasks.remove().run();
        }
    }

    private void reply(String json) {
        requests.reply(Envelope.parse("{\"type\":\"$reply\",\"ref\":\"q\",\"data\":" + json + "}"));
    }

    private static Throwable failure(CompletableFuture<?> result) {
        assertTrue(result.isDone(), String.valueOf(result));
        return Objects.requireNonNull(
                assertThrows(ExecutionException.class, result::get).getCause());
    }

    private static ErrorCode code(CompletableFuture<?> result) {
        return ((RealtimeException) failure(result)).code();
    }

    @Test
    void replyCompletesItOnTheExecutorAndCallsTheTimerOff() {
        CompletableFuture<Integer> result = ask(Integer.class);
        assertEquals(List.of(TIMEOUT), timers.delays);
        reply("7");
        assertFalse(result.isDone());
        assertEquals(List.of(), timers.set);
        run();
        assertEquals(7, result.join());
    }

    @Test
    void voidReplyIsNull() {
        CompletableFuture<Void> result = ask(Void.class);
        reply("null");
        run();
        assertNull(result.join());
    }

    @Test
    void timeoutEndsItAndALateReplyChangesNothing() {
        CompletableFuture<Integer> result = ask(Integer.class);
        timers.set.get(0).run();
        reply("7");
        run();
        assertEquals(ErrorCode.TIMEOUT, code(result));
        assertTrue(((RealtimeException) failure(result)).isRetryable());
        assertTrue(requests.isEmpty());
    }

    @Test
    void timerThatFiresLateChangesNothing() {
        CompletableFuture<Integer> result = ask(Integer.class);
        Runnable timer = timers.set.get(0);
        reply("7");
        timer.run();
        run();
        assertEquals(7, result.join());
    }

    @Test
    void noTimerIsLeftForARequestThatEndedBeforeItWasSet() {
        CompletableFuture<Integer> result = new CompletableFuture<>();
        RequestCall<Integer> call = new RequestCall<>(result, Json.payload(Integer.class), tasks::add);
        call.failed(new RealtimeException(ErrorCode.OVERLOADED, "too many")); // refused, and not told of it yet
        call.within(TIMEOUT, timers, requests, "q");
        assertEquals(List.of(), timers.set);
        run();
        assertEquals(ErrorCode.OVERLOADED, code(result));
    }

    @Test
    void replyThatDoesNotFitFailsIt() {
        CompletableFuture<Integer> result = ask(Integer.class);
        reply("\"word\"");
        run();
        assertTrue(failure(result) instanceof PayloadException, String.valueOf(result));
    }

    @Test
    void replyWhosePayloadThrowsFailsIt() {
        CompletableFuture<Picky> result = ask(Picky.class);
        reply("{\"x\":-1}");
        run();
        assertTrue(result.isCompletedExceptionally());
    }

    @Test
    void streamFrameForRequestFails() {
        CompletableFuture<Integer> result = ask(Integer.class);
        requests.item(Envelope.parse("{\"type\":\"$next\",\"ref\":\"q\",\"index\":0,\"data\":1}"));
        run();
        assertFalse(result.isDone());
        requests.end(Envelope.parse("{\"type\":\"$end\",\"ref\":\"q\",\"index\":1}"));
        run();
        assertEquals(ErrorCode.BAD_MESSAGE, code(result));
        assertEquals(List.of(), timers.set);
    }

    @Test
    void failureEndsItOnTheExecutorAndCallsTheTimerOff() {
        CompletableFuture<Integer> result = ask(Integer.class);
        RealtimeException why = new RealtimeException(ErrorCode.CLOSED, "closed");
        requests.failAll(why);
        assertFalse(result.isDone());
        assertEquals(List.of(), timers.set);
        run();
        assertSame(why, failure(result));
    }
}
