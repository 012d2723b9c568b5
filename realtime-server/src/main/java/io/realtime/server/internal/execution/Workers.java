package io.realtime.server.internal.execution;

import io.realtime.server.RealtimeServer;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The server's threads: one {@link Pool} for each purpose, so that no purpose starves another. An authenticator that
 * blocks delays no handler. A handler that waits for an answer does not delay that answer. None of them delays a
 * replay.
 *
 * <p>If the JVM has virtual threads, these run authentication, rules, handlers and streams; otherwise bounded pools do.
 * An executor of the application runs handlers and callbacks instead. The server's own work never blocks and has
 * platform threads: before Java 24 a virtual thread would wait for a carrier that a blocked one may hold.
 */
public final class Workers {
    /** The size of each bounded pool. One user may hold half of its threads. */
    public static final int THREADS = Math.max(16, 4 * Runtime.getRuntime().availableProcessors());

    /** How many authentications, and how many rules, run on virtual threads at a time. */
    private static final int VIRTUAL_THREADS = 1_000;

    private static final int STREAMS = 1_000;
    private static final Duration WATCH = Duration.ofSeconds(1);
    private static final Duration TOO_LONG = Duration.ofSeconds(5);
    private static final Logger LOG = LoggerFactory.getLogger(RealtimeServer.class);

    private final Scheduler scheduler;
    private final @Nullable ExecutorService virtual;
    private final List<ExecutorService> made = new ArrayList<>();
    private final ExecutorService producers;
    private final Pool authentication;
    private final Pool rules;
    private final Pool handlers;
    private final Pool callbacks;
    private final Pool streams;
    private final Pool own;
    private final LastExecutor last;
    private final List<Pool> watched;
    private volatile Scheduler.Cancellable watch = () -> {};
    private volatile @Nullable String problem;
    private volatile Wait longest = new Wait(Duration.ZERO, "");
    // When the timer has run last, by the scheduler's monotonic clock.
    private volatile long watchedAt;

    /**
     * Creates the pools.
     *
     * @param supplied the application's executor, or null
     * @param isForAll true if the supplied executor runs everything but streams, so that nothing happens outside of
     *     its time (used by tests)
     * @param mayBeVirtual true to use virtual threads if the JVM has them
     */
    public Workers(Scheduler scheduler, @Nullable Executor supplied, boolean isForAll, boolean mayBeVirtual) {
        this.scheduler = scheduler;
        this.virtual = mayBeVirtual ? virtualThreads() : null;
        Executor all = isForAll ? supplied : null;
        int most = virtual == null ? THREADS : VIRTUAL_THREADS;
        this.authentication = pool("authentication", "realtime-auth-", most, all);
        this.rules = pool("rules", "realtime-rule-", most, all);
        this.handlers = pool("handlers", "realtime-handler-", virtual == null ? THREADS : Pool.UNBOUNDED, supplied);
        this.callbacks = pool("callbacks", "realtime-callback-", virtual == null ? THREADS : Pool.UNBOUNDED, supplied);
        this.producers = producers(mayBeVirtual);
        this.streams = new Pool("streams", virtual == null ? STREAMS : Pool.UNBOUNDED, producers, scheduler);
        this.own = new Pool(
                "own work",
                Pool.UNBOUNDED,
                all != null
                        ? all
                        : platformThreads(Math.max(2, Runtime.getRuntime().availableProcessors()), "realtime-work-"),
                scheduler);
        this.last = new LastExecutor(all != null ? all : lastThreads());
        this.watched = List.of(authentication, rules, handlers, callbacks, own);
    }

    /**
     * @param supplied runs the tasks in place of the server's own threads; null for those
     */
    private Pool pool(String name, String threadName, int threads, @Nullable Executor supplied) {
        if (supplied != null) {
            return new Pool(name, Pool.UNBOUNDED, supplied, scheduler);
        }
        return new Pool(name, threads, virtual != null ? virtual : platformThreads(threads, threadName), scheduler);
    }

    private static @Nullable ExecutorService virtualThreads() {
        try {
            // Virtual threads exist from Java 21 on. The library itself is compiled for 17.
            return (ExecutorService)
                    Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException beforeJava21) {
            return null;
        }
    }

    /** Returns threads for streams alone, since they are interrupted at the end. The pool of streams bounds them. */
    private static ExecutorService producers(boolean mayBeVirtual) {
        ExecutorService virtual = mayBeVirtual ? virtualThreads() : null;
        return virtual != null
                ? virtual
                : new ThreadPoolExecutor(
                        0,
                        Integer.MAX_VALUE,
                        10,
                        TimeUnit.SECONDS,
                        new SynchronousQueue<>(),
                        daemons("realtime-stream-"));
    }

    private ExecutorService platformThreads(int count, String name) {
        ExecutorService pool = platformThreads(count, name, Duration.ofSeconds(30));
        made.add(pool);
        return pool;
    }

    /** Returns an executor that is never shut down: a task may be rejected elsewhere at any time after the end. */
    private static ExecutorService lastThreads() {
        return platformThreads(THREADS, "realtime-last-", Duration.ofMillis(100));
    }

    private static ExecutorService platformThreads(int count, String name, Duration keepAlive) {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                count, count, keepAlive.toMillis(), TimeUnit.MILLISECONDS, new LinkedBlockingQueue<>(), daemons(name));
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }

    private static ThreadFactory daemons(String name) {
        AtomicInteger number = new AtomicInteger();
        return task -> {
            Thread thread = new Thread(task, name + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    /** Asks the application's authenticator. The owners are addresses. */
    public Pool authentication() {
        return authentication;
    }

    /** Asks the application's rules outside of a mailbox. The owners are users. */
    public Pool rules() {
        return rules;
    }

    /** Runs mailboxes. The owners are users. */
    public Pool handlers() {
        return handlers;
    }

    /**
     * Completes requests, and tells producers that they may send again. The owners are users. No handler runs here,
     * since a handler may wait for such a completion.
     */
    public Pool callbacks() {
        return callbacks;
    }

    /** Produces streams. A task may block for as long as its reader takes. The owners are users. */
    public Pool streams() {
        return streams;
    }

    /** Runs the server's own work. It calls no application code and never blocks. */
    public void execute(Runnable task) {
        own.execute(this, task);
    }

    /** Begins to watch how long tasks wait. */
    public void start() {
        watchedAt = scheduler.nanoTime();
        watch = scheduler.schedule(WATCH, () -> {
            start();
            watch();
        });
    }

    private void watch() {
        long now = scheduler.nanoTime();
        String found = null;
        Wait most = new Wait(Duration.ZERO, "");
        for (Pool pool : watched) {
            pool.watch(now);
            Duration waited = Duration.ofNanos(pool.waitedNanos());
            if (waited.compareTo(most.time) > 0) {
                most = new Wait(waited, pool.describe() + ", for at least " + waited.toMillis() + " ms");
            }
            if (found == null && pool.waitedNanos() >= TOO_LONG.toNanos()) {
                found = pool.describe() + ", for more than " + TOO_LONG.toSeconds() + " s";
            }
        }
        if (found != null && problem == null) {
            LOG.warn("tasks wait for threads that are blocked: {}", found);
        }
        problem = found;
        longest = most;
    }

    /**
     * How long tasks wait for a thread.
     *
     * @param time the time that some task has waited, at least
     * @param text the same for people: which tasks, and for what
     */
    public record Wait(Duration time, String text) {}

    /** Returns the longest wait of a task that waits now, exact to a second. */
    public Wait longestWait() {
        return longest;
    }

    /** Returns how late the timer is, which runs each second. */
    public Duration timerDelay() {
        long late = scheduler.nanoTime() - watchedAt - WATCH.toNanos();
        return Duration.ofNanos(Math.max(0, late));
    }

    /** Returns what has waited for a thread for more than 5 s; null if nothing has. */
    @Nullable
    public String problem() {
        return problem;
    }

    /** Returns how often an executor has rejected a task that was then started later. */
    public long refused() {
        return authentication.refused()
                + rules.refused()
                + handlers.refused()
                + callbacks.refused()
                + streams.refused()
                + own.refused();
    }

    /**
     * Ends the threads. Accepted tasks still run, except that producers of streams are interrupted. What an executor
     * has rejected, or rejects from now on, runs on daemon threads that end when they are idle.
     *
     * @return a future that completes when the rejected tasks have run
     */
    public CompletableFuture<Void> stop() {
        watch.cancel();
        for (Pool pool : List.of(authentication, rules, handlers, callbacks, streams, own)) {
            pool.stop(last);
        }
        // Their sessions are over.
        producers.shutdownNow();
        made.forEach(ExecutorService::shutdown);
        if (virtual != null) {
            virtual.shutdown();
        }
        return last.idle();
    }
}
