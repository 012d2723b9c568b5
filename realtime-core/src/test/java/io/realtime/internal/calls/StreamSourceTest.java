package io.realtime.internal.calls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.StreamSink;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Json;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(30)
class StreamSourceTest {
    private static final int WINDOW = StreamCall.WINDOW;

    private final Way way = new Way();
    private final ConcurrentLinkedQueue<Runnable> tasks = new ConcurrentLinkedQueue<>();
    private final StreamSource<Integer> source = new StreamSource<>(Json.payload(Integer.class), way, tasks::add);
    private final List<Thread> threads = new ArrayList<>();

    /** Notes what is sent. */
    private static final class Way implements StreamSource.Receiver {
        final List<String> items = Collections.synchronizedList(new ArrayList<>());
        final List<String> ends = Collections.synchronizedList(new ArrayList<>());
        final List<Throwable> reports = Collections.synchronizedList(new ArrayList<>());
        volatile boolean isFull;
        volatile Runnable onItem = () -> {};

        @Override
        public boolean hasRoom() {
            return !isFull;
        }

        @Override
        public void item(long index, String json) {
            onItem.run();
            items.add(index + "=" + json);
        }

        @Override
        public void over(long count, @Nullable ErrorData error) {
            ends.add(error == null ? "end " + count : error.code() + ": " + error.message());
        }

        @Override
        public void report(Throwable failure) {
            reports.add(failure);
        }
    }

    @AfterEach
    void noThreadIsLeft() throws InterruptedException {
        source.cancel();
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private void runTasks() {
        for (Runnable task = tasks.poll(); task != null; task = tasks.poll()) {
            task.run();
        }
    }

    private void sendAll(int count) {
        for (int i = 0; i < count; i++) {
            source.send(i);
        }
    }

    private interface Body {
        void run() throws Exception;
    }

    /** Runs something on a thread of its own. */
    private CompletableFuture<Void> start(Body body) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            try {
                body.run();
                done.complete(null);
            } catch (Throwable failure) {
                done.completeExceptionally(failure);
            }
        });
        threads.add(thread);
        thread.start();
        return done;
    }

    /** Starts something that has to wait, and returns once it does. */
    private CompletableFuture<Void> startAndHold(Body body) {
        CompletableFuture<Void> done = start(body);
        Thread thread = threads.get(threads.size() - 1);
        while (thread.getState() != Thread.State.WAITING) {
            assertFalse(done.isDone(), "did not wait: " + done);
            Thread.onSpinWait();
        }
        return done;
    }

    private static void await(CompletableFuture<?> done) throws Exception {
        done.get(20, TimeUnit.SECONDS);
    }

    private static void await(CountDownLatch latch) {
        boolean isOpen;
        try {
            isOpen = latch.await(20, TimeUnit.SECONDS);
        } catch (InterruptedException unexpected) {
            throw new AssertionError(unexpected);
        }
        assertTrue(isOpen, "nobody opened the latch");
    }

    private static ErrorCode codeOf(CompletableFuture<?> failed) {
        Throwable cause = assertThrows(ExecutionException.class, () -> failed.get(20, TimeUnit.SECONDS))
                .getCause();
        if (cause instanceof RealtimeException known) {
            return known.code();
        }
        throw new AssertionError(cause);
    }

    // ---- credit

    @Test
    void windowOfItemsGoesUnaskedAndNextIsHeldUntilOneMoreIsGranted() throws Exception {
        sendAll(WINDOW);
        CompletableFuture<Void> next = startAndHold(() -> source.send(64));
        assertEquals(WINDOW, way.items.size());
        assertTrue(source.granted(WINDOW + 1));
        await(next);
        assertEquals("64=64", way.items.get(WINDOW));
        assertFalse(source.isReady());
    }

    @Test
    void grantOfNoMoreThanBeforeChangesNothing() {
        assertFalse(source.granted(WINDOW));
        assertFalse(source.granted(0));
        assertFalse(source.granted(-1));
        assertFalse(source.granted(Long.MIN_VALUE));
        source.granted(Long.MAX_VALUE);
        assertFalse(source.granted(Long.MAX_VALUE));
        sendAll(3 * WINDOW);
        assertEquals(3 * WINDOW, way.items.size());
    }

    @Test
    void grantsBeyondSentItemsAreNoProgress() {
        assertFalse(source.granted(WINDOW + 1), "nothing was sent");
        sendAll(2);
        assertTrue(source.granted(WINDOW + 2));
        assertTrue(source.granted(WINDOW + 3));
        assertFalse(source.granted(WINDOW + 4));
        sendAll(WINDOW + 2);
        assertEquals(WINDOW + 4, way.items.size(), "they count all the same");
        assertTrue(source.granted(WINDOW + 5));
    }

    @Test
    void senderIsHeldWhileTheWayIsFull() throws Exception {
        way.isFull = true;
        CompletableFuture<Void> held = startAndHold(() -> source.send(0));
        way.isFull = false;
        source.roomAgain();
        await(held);
        assertEquals(List.of("0=0"), way.items);
    }

    @Test
    void senderThatIsHeldHearsOfTheCancel() {
        sendAll(WINDOW);
        CompletableFuture<Void> held = startAndHold(() -> source.send(64));
        source.cancel();
        assertEquals(ErrorCode.CANCELLED, codeOf(held));
        assertEquals(WINDOW, way.items.size());
    }

    @Test
    void senderThatIsHeldHearsThatAnotherHasEndedTheStream() {
        sendAll(WINDOW);
        CompletableFuture<Void> held = startAndHold(() -> source.send(64));
        source.end();
        assertEquals(ErrorCode.CLOSED, codeOf(held));
        assertEquals(List.of("end 64"), way.ends);
    }

    @Test
    void interruptEndsTheWaitAndStaysWithTheThread() {
        sendAll(WINDOW);
        CompletableFuture<Boolean> wasInterrupted = new CompletableFuture<>();
        CompletableFuture<Void> held = startAndHold(() -> {
            try {
                source.send(64);
            } finally {
                wasInterrupted.complete(Thread.currentThread().isInterrupted());
            }
        });
        threads.get(0).interrupt();
        assertEquals(ErrorCode.CANCELLED, codeOf(held));
        assertTrue(wasInterrupted.join());
        assertFalse(source.isCancelled());
    }

    @Test
    void longItemsWaitUntilTheReaderHasHandledSome() {
        StreamSource<String> texts = new StreamSource<>(Json.payload(String.class), way, tasks::add);
        String third = "x".repeat(StreamCall.WINDOW_LENGTH / 3);
        assertTrue(texts.offer(third));
        assertTrue(texts.offer(third));
        assertTrue(texts.offer("short"));
        assertTrue(texts.offer(third), "there was room for a character");
        assertFalse(texts.isReady());
        assertFalse(texts.offer("short"));
        texts.granted(WINDOW + 1);
        assertTrue(texts.offer("short"), "the first is handled");
        assertTrue(texts.offer(third));
        assertFalse(texts.offer("short"));
        texts.granted(WINDOW + 3);
        assertTrue(texts.offer("short"), "the third, too");
        assertEquals(7, way.items.size());
        texts.cancel();
    }

    @Test
    void lengthsAreForgottenInOrderHoweverLongAStreamIs() {
        StreamSource<String> texts = new StreamSource<>(Json.payload(String.class), way, tasks::add);
        String half = "x".repeat(StreamCall.WINDOW_LENGTH / 2);
        for (int i = 0; i < 1_000; i++) {
            assertTrue(texts.offer(i % 7 == 0 ? half : "short"), "item " + i);
            texts.granted(WINDOW + i); // all but the last
        }
        texts.granted(1_000_000);
        for (int i = 0; i < 100; i++) {
            assertTrue(texts.offer(half), "a reader that takes so many may be sent them");
        }
        texts.cancel();
    }

    @Test
    void offerWithoutCreditIsRefusedAndNothingIsSent() {
        for (int i = 0; i < WINDOW; i++) {
            assertTrue(source.isReady());
            assertTrue(source.offer(i));
        }
        assertFalse(source.isReady());
        assertFalse(source.offer(64));
        assertEquals(WINDOW, way.items.size());
        source.granted(WINDOW + 1);
        assertTrue(source.offer(64));
        way.isFull = true;
        source.granted(2 * WINDOW);
        assertFalse(source.isReady());
        assertFalse(source.offer(65));
    }

    // ---- onReady

    @Test
    void onReadyRunsOnceAtFirst() {
        AtomicInteger runs = new AtomicInteger();
        source.onReady(runs::incrementAndGet);
        assertEquals(0, runs.get(), "it runs on the executor");
        runTasks();
        assertEquals(1, runs.get());
        source.granted(WINDOW + 1);
        source.roomAgain();
        runTasks();
        assertEquals(1, runs.get(), "it could always send");
    }

    @Test
    void onReadyRunsOnceForEachTimeThatItCouldNotSend() {
        AtomicInteger runs = new AtomicInteger();
        sendAll(WINDOW);
        source.onReady(runs::incrementAndGet);
        runTasks();
        assertEquals(0, runs.get());
        source.granted(WINDOW + 1);
        source.granted(WINDOW + 2);
        runTasks();
        assertEquals(1, runs.get());
        assertTrue(source.offer(64));
        assertTrue(source.offer(65));
        assertFalse(source.offer(66));
        source.granted(WINDOW + 3);
        runTasks();
        assertEquals(2, runs.get());
    }

    @Test
    void producerThatAsksIsReadyBeforeItOffersIsToldAgain() {
        AtomicInteger next = new AtomicInteger();
        source.onReady(() -> {
            while (source.isReady()) {
                assertTrue(source.offer(next.getAndIncrement()));
            }
        });
        runTasks();
        assertEquals(WINDOW, way.items.size());
        source.granted(WINDOW + 10);
        runTasks();
        assertEquals(WINDOW + 10, way.items.size());
        way.isFull = true;
        source.granted(2 * WINDOW);
        runTasks();
        assertEquals(WINDOW + 10, way.items.size());
        way.isFull = false;
        source.roomAgain();
        runTasks();
        assertEquals(2 * WINDOW, way.items.size());
    }

    @Test
    void producerThatCountsItsItemsIsToldAgain() {
        AtomicInteger runs = new AtomicInteger();
        source.onReady(runs::incrementAndGet);
        runTasks();
        for (int i = 0; i < WINDOW; i++) {
            assertTrue(source.offer(i));
        }
        source.granted(2 * WINDOW);
        runTasks();
        assertEquals(2, runs.get());
    }

    @Test
    void onReadyNeverRunsTwiceAtOnce() throws Exception {
        CountDownLatch isRunning = new CountDownLatch(1);
        CountDownLatch mayReturn = new CountDownLatch(1);
        AtomicInteger atOnce = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        AtomicInteger runs = new AtomicInteger();
        source.onReady(() -> {
            most.accumulateAndGet(atOnce.incrementAndGet(), Math::max);
            if (runs.incrementAndGet() == 1) {
                isRunning.countDown();
                await(mayReturn);
            }
            atOnce.decrementAndGet();
        });
        CompletableFuture<Void> first = start(this::runTasks);
        await(isRunning);
        sendAll(WINDOW);
        assertFalse(source.offer(64));
        source.granted(WINDOW + 1); // ready again, while it runs
        CompletableFuture<Void> second = start(this::runTasks);
        await(second);
        assertEquals(1, runs.get());
        mayReturn.countDown();
        await(first);
        assertEquals(2, runs.get());
        assertEquals(1, most.get());
    }

    @Test
    void onReadyRunsWhenTheStreamIsCancelled() {
        AtomicInteger runs = new AtomicInteger();
        sendAll(WINDOW);
        source.onReady(() -> {
            assertTrue(source.isCancelled());
            assertFalse(source.isReady());
            assertFalse(source.offer(1));
            runs.incrementAndGet();
        });
        source.cancel();
        source.cancel();
        runTasks();
        assertEquals(1, runs.get());
        assertEquals(List.of("cancelled: cancelled"), way.ends);
        AtomicInteger late = new AtomicInteger();
        source.onReady(late::incrementAndGet);
        runTasks();
        assertEquals(1, late.get(), "who asks later is told too");
        assertEquals(List.of(), way.reports);
    }

    @Test
    void onReadyDoesNotRunWhenTheStreamHasEnded() {
        AtomicInteger runs = new AtomicInteger();
        sendAll(WINDOW);
        source.onReady(runs::incrementAndGet);
        source.end();
        source.granted(2 * WINDOW);
        source.roomAgain();
        source.cancel();
        runTasks();
        assertEquals(0, runs.get());
        assertFalse(source.isCancelled());
    }

    @Test
    void readyTaskThatThrowsEndsTheStreamAlone() {
        StackOverflowError thrown = new StackOverflowError("too deep");
        source.onReady(() -> {
            throw thrown;
        });
        runTasks();
        assertEquals(List.of("internal: the stream failed"), way.ends);
        assertSame(thrown, way.reports.get(0));
    }

    // ---- order

    @Test
    void itemsOfManySendersAreNumberedInOrderInWhichTheyGo() throws Exception {
        int senders = 4;
        int each = 500;
        source.granted((long) senders * each);
        CyclicBarrier together = new CyclicBarrier(senders);
        List<CompletableFuture<Void>> done = new ArrayList<>();
        for (int s = 0; s < senders; s++) {
            int from = s * each;
            done.add(start(() -> {
                together.await();
                for (int i = 0; i < each; i++) {
                    if (i % 2 == 0) {
                        source.send(from + i);
                    } else {
                        assertTrue(source.offer(from + i));
                    }
                }
            }));
        }
        for (CompletableFuture<Void> one : done) {
            await(one);
        }
        int[] next = new int[senders];
        for (int i = 0; i < senders * each; i++) {
            String[] item = way.items.get(i).split("=", -1);
            assertEquals(String.valueOf(i), item[0]);
            int value = Integer.parseInt(item[1]);
            assertEquals(next[value / each]++, value % each);
        }
    }

    @Test
    void endWaitsForASendInProgressAndCountsIt() throws Exception {
        CountDownLatch isSending = new CountDownLatch(1);
        CountDownLatch maySend = new CountDownLatch(1);
        way.onItem = () -> {
            isSending.countDown();
            await(maySend);
        };
        CompletableFuture<Void> send = start(() -> source.send(7));
        await(isSending);
        CompletableFuture<Void> end = startAndHold(source::end);
        assertEquals(List.of(), way.ends);
        maySend.countDown();
        await(send);
        await(end);
        assertEquals(List.of("0=7"), way.items);
        assertEquals(List.of("end 1"), way.ends);
    }

    @Test
    void offerWaitsForTheTurnOfAnotherAndIsNotRefused() throws Exception {
        CountDownLatch isSending = new CountDownLatch(1);
        CountDownLatch maySend = new CountDownLatch(1);
        way.onItem = () -> {
            isSending.countDown();
            await(maySend);
        };
        CompletableFuture<Void> send = start(() -> source.send(7));
        await(isSending);
        CompletableFuture<Void> offer = startAndHold(() -> assertTrue(source.offer(8)));
        maySend.countDown();
        await(send);
        await(offer);
        assertEquals(List.of("0=7", "1=8"), way.items);
    }

    // ---- ends

    @Test
    void itemThatIsRefusedEndsTheStreamWithWhatRefusedIt() {
        source.send(0);
        way.onItem = () -> {
            throw new RealtimeException(ErrorCode.TOO_BIG, "too big");
        };
        RealtimeException refused = assertThrows(RealtimeException.class, () -> source.send(1));
        assertEquals(ErrorCode.TOO_BIG, refused.code());
        assertEquals(List.of("too_big: too big"), way.ends);
        assertEquals(
                ErrorCode.CLOSED,
                assertThrows(RealtimeException.class, () -> source.send(2)).code());
        assertEquals(
                ErrorCode.CLOSED,
                assertThrows(RealtimeException.class, () -> source.offer(2)).code());
        source.end();
        assertEquals(1, way.ends.size());
    }

    @Test
    void failedSendReleasesTheTurnAndEndsTheStream() {
        way.onItem = () -> {
            throw new OutOfMemoryError("simulated");
        };
        assertThrows(OutOfMemoryError.class, () -> source.send(0));
        assertEquals(List.of("internal: the stream failed"), way.ends);
        assertEquals(
                ErrorCode.CLOSED,
                assertThrows(RealtimeException.class, () -> source.send(1)).code());
        source.end();
        assertEquals(1, way.ends.size());
    }

    @Test
    void producerThatReturnsHasEndedTheStream() {
        source.run(out -> {
            out.send(1);
            out.send(2);
        });
        assertEquals(List.of("0=1", "1=2"), way.items);
        assertEquals(List.of("end 2"), way.ends);
    }

    @Test
    void producersRefusalIsWhatTheReceiverIsReported() {
        source.run(out -> {
            throw new RealtimeException(ErrorCode.FORBIDDEN, "not for you");
        });
        assertEquals(List.of("forbidden: not for you"), way.ends);
        assertEquals(List.of(), way.reports);
    }

    @Test
    void unexpectedProducerFailureIsReportedAndHidden() {
        NoClassDefFoundError thrown = new NoClassDefFoundError("com/secret/Thing");
        source.run(out -> {
            out.send(1);
            throw thrown;
        });
        assertEquals(List.of("internal: the stream failed"), way.ends);
        assertEquals(List.of(thrown), way.reports);
    }

    @Test
    void unwritableItemEndsTheStreamOfItsProducer() {
        StreamSource<Object> any = new StreamSource<>(Json.payload(Double.class), way, tasks::add);
        any.run(out -> out.send(Double.NaN));
        assertEquals(1, way.ends.size());
        assertFalse(way.ends.get(0).startsWith("end"), way.ends.toString());
        assertEquals(List.of(), way.items);
    }

    @Test
    void producerOfAStreamThatIsCancelledAlreadyDoesNotRun() {
        source.cancel();
        AtomicInteger runs = new AtomicInteger();
        source.run(out -> runs.incrementAndGet());
        runTasks();
        assertEquals(0, runs.get());
        assertEquals(List.of("cancelled: cancelled"), way.ends);
    }

    @Test
    void cancelInterruptsTheProducerAndClearsItsThread() throws Exception {
        CountDownLatch isWaiting = new CountDownLatch(1);
        CompletableFuture<Boolean> isClean = new CompletableFuture<>();
        CompletableFuture<Void> run = start(() -> {
            source.run(out -> {
                isWaiting.countDown();
                new CountDownLatch(1).await();
            });
            isClean.complete(!Thread.currentThread().isInterrupted());
        });
        await(isWaiting);
        source.cancel();
        await(run);
        runTasks();
        assertTrue(isClean.join());
        assertEquals(List.of("cancelled: cancelled"), way.ends);
        assertEquals(List.of(), way.reports, "what came of the interruption is nobody's trouble");
    }

    @Test
    void cancelOfStreamWhoseProducerHasReturnedInterruptsNobody() {
        source.run(StreamSink::isReady);
        source.cancel();
        assertFalse(Thread.currentThread().isInterrupted());
        assertEquals(List.of("end 0"), way.ends);
    }

    @Test
    void onlyTheFirstEndCounts() {
        source.end();
        source.end();
        source.fail(new RealtimeException(ErrorCode.INTERNAL, "late"));
        source.cancel();
        runTasks();
        assertEquals(List.of("end 0"), way.ends);

        StreamSource<Integer> failing = new StreamSource<>(Json.payload(Integer.class), way, tasks::add);
        failing.fail(new RealtimeException(ErrorCode.FORBIDDEN, "no"));
        failing.fail(new RealtimeException(ErrorCode.INTERNAL, "late"));
        failing.end();
        failing.cancel();
        runTasks();
        assertEquals(List.of("end 0", "forbidden: no"), way.ends);

        StreamSource<Integer> cancelled = new StreamSource<>(Json.payload(Integer.class), way, tasks::add);
        cancelled.cancel();
        cancelled.cancel();
        cancelled.end();
        cancelled.fail(new IllegalStateException("late"));
        runTasks();
        assertEquals(List.of("end 0", "forbidden: no", "cancelled: cancelled"), way.ends);
        assertEquals(List.of(), way.reports);
        assertNull(tasks.poll());
    }
}
