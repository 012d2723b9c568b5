package io.realtime.server.internal.execution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.internal.room.RoomChannel;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.mockito.Mockito;

/** Without virtual threads, on any JVM: what blocks the threads of one purpose, or of one user, holds up no other. */
@Timeout(30)
class WorkersTest {
    private final ManualScheduler time = new ManualScheduler();
    private final Workers workers = new Workers(time, null, false, false);
    private final CountDownLatch release = new CountDownLatch(1);
    private final Semaphore blocked = new Semaphore(0);

    @AfterEach
    void stop() {
        release.countDown();
        CompletableFuture<Void> unused = workers.stop();
        assertEquals(0, time.pending());
    }

    private void block() {
        blocked.release();
        try {
            release.await();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    private void blockAll(Pool pool, String owner) {
        for (int i = 0; i < 2 * Workers.THREADS; i++) {
            pool.execute(owner, this::block);
        }
        blocked.acquireUninterruptibly(Workers.THREADS / 2);
    }

    private static void runs(Pool pool, String owner) throws InterruptedException {
        CountDownLatch ran = new CountDownLatch(1);
        pool.execute(owner, ran::countDown);
        assertTrue(ran.await(20, TimeUnit.SECONDS));
    }

    @Test
    void oneUserCannotBlockTheHandlersOfAnother() throws Exception {
        blockAll(workers.handlers(), "ann");
        assertEquals(Workers.THREADS / 2, workers.handlers().busy());
        runs(workers.handlers(), "ben");
    }

    @Test
    void blockedHandlersDelayNothingElse() throws Exception {
        for (int i = 0; i < 4 * Workers.THREADS; i++) { // of many users, so all threads
            workers.handlers().execute("user" + i, this::block);
        }
        blocked.acquireUninterruptibly(Workers.THREADS);
        runs(workers.authentication(), "10.0.0.1");
        runs(workers.rules(), "ben");
        runs(workers.callbacks(), "ben");
        CountDownLatch own = new CountDownLatch(1);
        workers.execute(own::countDown);
        assertTrue(own.await(20, TimeUnit.SECONDS));
    }

    @Test
    void blockedAuthenticationDelaysNoHandler() throws Exception {
        for (int i = 0; i < 2 * Workers.THREADS; i++) {
            workers.authentication().execute("10.0.0." + i, this::block);
        }
        blocked.acquireUninterruptibly(Workers.THREADS);
        runs(workers.handlers(), "ben");
        runs(workers.rules(), "ben");
    }

    @Test
    void oneUserCannotTakeAllThreadsOfStreams() {
        int taken = 0;
        while (workers.streams().tryExecute("ann", this::block)) {
            taken++;
        }
        assertEquals(500, taken);
        assertTrue(workers.streams().tryExecute("ben", this::block));
    }

    @Test
    void lateFlushOfABurstNeedsNoThreadOfHandlers() throws Exception {
        for (int i = 0; i < Workers.THREADS; i++) {
            workers.handlers().execute("user" + i, this::block);
        }
        blocked.acquireUninterruptibly(Workers.THREADS);
        Bursts bursts = new Bursts(time, workers::execute);
        CountDownLatch flushed = new CountDownLatch(1);
        RoomChannel room = Mockito.mock(RoomChannel.class);
        Mockito.doAnswer(call -> {
                    flushed.countDown();
                    return null;
                })
                .when(room)
                .flush();
        Bursts.Burst burst = bursts.begin();
        burst.hasMore(true);
        assertTrue(Bursts.defer(room));
        time.advance(Duration.ofMillis(1));
        assertTrue(flushed.await(20, TimeUnit.SECONDS));
        burst.end();
    }

    @Test
    void waitForAThreadBecomesAProblem() throws Exception {
        workers.start();
        blockAll(workers.handlers(), "ann");
        for (int i = 0; i < Workers.THREADS; i++) {
            workers.handlers().execute("user" + i, this::block);
        }
        blocked.acquireUninterruptibly(Workers.THREADS / 2);
        time.advance(Duration.ofSeconds(5));
        assertNull(workers.problem());
        time.advance(Duration.ofSeconds(1));
        String problem = workers.problem();
        assertNotNull(problem);
        assertTrue(
                problem.startsWith("handlers: ")
                        && problem.endsWith(Workers.THREADS + " of " + Workers.THREADS + " busy, for more than 5 s"),
                problem);
        release.countDown();
        while (workers.handlers().waiting() > 0) {
            Thread.onSpinWait();
        }
        time.advance(Duration.ofSeconds(1));
        assertNull(workers.problem());
    }
}
