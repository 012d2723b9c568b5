package io.realtime.internal;

import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;

/** Limits how many lines of one kind reach the log: hostile or unlucky peers must not fill it. Safe for many threads. */
public final class LogLimit {
    private final int most;
    private final long windowNanos;
    private final ReentrantLock lock = new ReentrantLock(); // a leaf
    private long windowBegan; // guarded by lock, as the next
    private int passed = -1; // -1 before the first
    private int suppressed;

    /** Lets through this many lines in each window of time. */
    public LogLimit(int most, Duration window) {
        this.most = most;
        this.windowNanos = window.toNanos();
    }

    /** Returns how many lines were suppressed since the last that was let through; −1 when this one is suppressed. */
    public int tryAcquire(long nowNanos) {
        lock.lock();
        try {
            if (passed < 0 || nowNanos - windowBegan >= windowNanos) {
                windowBegan = nowNanos;
                passed = 0;
            }
            if (passed == most) {
                suppressed++;
                return -1;
            }
            passed++;
            int before = suppressed;
            suppressed = 0;
            return before;
        } finally {
            lock.unlock();
        }
    }
}
