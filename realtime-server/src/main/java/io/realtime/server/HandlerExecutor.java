package io.realtime.server;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** The executor for handlers that the server makes itself. */
final class HandlerExecutor {
    private static final int THREADS = Math.max(16, 4 * Runtime.getRuntime().availableProcessors());

    private HandlerExecutor() {}

    /** Virtual threads where the JVM has them, else a bounded pool of daemon threads. */
    static ExecutorService create() {
        try { // from Java 21 on; the library itself is compiled for 17
            return (ExecutorService)
                    Executors.class.getMethod("newVirtualThreadPerTaskExecutor").invoke(null);
        } catch (ReflectiveOperationException beforeJava21) {
            return pool();
        }
    }

    /** Its queue holds at most one task per mailbox that has something to do, and so is bounded by the sessions. */
    private static ExecutorService pool() {
        AtomicInteger number = new AtomicInteger();
        ThreadPoolExecutor pool =
                new ThreadPoolExecutor(THREADS, THREADS, 30, TimeUnit.SECONDS, new LinkedBlockingQueue<>(), task -> {
                    Thread thread = new Thread(task, "realtime-handler-" + number.incrementAndGet());
                    thread.setDaemon(true);
                    return thread;
                });
        pool.allowCoreThreadTimeOut(true);
        return pool;
    }
}
