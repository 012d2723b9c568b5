package io.realtime.server;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/** The executor for handlers that the server makes itself. */
final class HandlerExecutor {
    private static final int THREADS = Math.max(16, 4 * Runtime.getRuntime().availableProcessors());

    private static final int STREAMS = 1_000;

    private HandlerExecutor() {}

    /** Virtual threads where the JVM has them, else a bounded pool of daemon threads. */
    static ExecutorService create() {
        ExecutorService virtual = virtual();
        return virtual != null ? virtual : pool();
    }

    /** Virtual threads where the JVM has them, else up to 1,000 daemon threads: each waits for the reader of its stream. */
    static ExecutorService createForStreams() {
        ExecutorService virtual = virtual();
        return virtual != null
                ? virtual
                : new ThreadPoolExecutor(
                        0, STREAMS, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), daemons("realtime-stream-"));
    }

    private static @Nullable ExecutorService virtual() {
        try { // from Java 21 on; the library itself is compiled for 17
            return (ExecutorService)
                    Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException beforeJava21) {
            return null;
        }
    }

    private static ThreadFactory daemons(String name) {
        AtomicInteger number = new AtomicInteger();
        return task -> {
            Thread thread = new Thread(task, name + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    /** Its queue holds at most one task per mailbox that has something to do, and so is bounded by the sessions. */
    private static ExecutorService pool() {
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                THREADS, THREADS, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), daemons("realtime-handler-"));
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }
}
