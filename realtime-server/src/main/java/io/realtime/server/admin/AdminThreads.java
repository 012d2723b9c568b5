package io.realtime.server.admin;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.time.Duration;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.Executor;
import java.util.concurrent.Future;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;

/**
 * The threads of the admin endpoints: a few, with a bounded queue. A request that takes too long is interrupted, again
 * each second until it ends. An interrupted thread closes the socket that it reads or writes, also in the head or the
 * body of a request. One that waits for an interceptor has a second to answer. The JDK's server closes the connection
 * of a request that is rejected.
 */
final class AdminThreads implements Executor {
    static final int THREADS = 4;
    private static final int QUEUE = 64;
    static final Duration GRACE = Duration.ofSeconds(1);

    private final Duration timeout;
    private final ThreadPoolExecutor threads;
    private final ScheduledThreadPoolExecutor timer;

    AdminThreads(Duration timeout) {
        this.timeout = timeout;
        this.threads = new ThreadPoolExecutor(
                THREADS, THREADS, 30, TimeUnit.SECONDS, new ArrayBlockingQueue<>(QUEUE), daemons("realtime-admin-"));
        threads.allowCoreThreadTimeOut(true);
        this.timer = new ScheduledThreadPoolExecutor(1, daemons("realtime-admin-timer-"));
        timer.setRemoveOnCancelPolicy(true);
        timer.setKeepAliveTime(30, TimeUnit.SECONDS);
        timer.allowCoreThreadTimeOut(true);
    }

    private static ThreadFactory daemons(String name) {
        AtomicInteger number = new AtomicInteger();
        return task -> {
            Thread thread = new Thread(task, name + number.incrementAndGet());
            thread.setDaemon(true);
            return thread;
        };
    }

    /**
     * Runs the handling of one request.
     *
     * @throws RejectedExecutionException if {@value #QUEUE} requests wait already
     */
    @Override
    public void execute(Runnable request) {
        threads.execute(() -> run(request));
    }

    private void run(Runnable request) {
        Deadline deadline = new Deadline(Thread.currentThread());
        Future<?> end =
                timer.scheduleWithFixedDelay(deadline, timeout.toMillis(), GRACE.toMillis(), TimeUnit.MILLISECONDS);
        try {
            request.run();
        } finally {
            deadline.end();
            end.cancel(false);
        }
    }

    void stop() {
        threads.shutdownNow();
        timer.shutdownNow();
    }

    /** Interrupts the thread of a request, unless the request has ended. */
    private static final class Deadline implements Runnable {
        private final Thread thread;
        private final ReentrantLock lock = new ReentrantLock();

        @GuardedBy("lock")
        private boolean isOver;

        Deadline(Thread thread) {
            this.thread = thread;
        }

        @Override
        public void run() {
            lock.lock();
            try {
                if (!isOver) {
                    thread.interrupt();
                }
            } finally {
                lock.unlock();
            }
        }

        void end() {
            lock.lock();
            try {
                isOver = true;
                // It must not reach the next request of this thread.
                Thread.interrupted();
            } finally {
                lock.unlock();
            }
        }
    }
}
