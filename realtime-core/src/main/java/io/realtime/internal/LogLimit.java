package io.realtime.internal;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.time.Duration;
import java.util.concurrent.locks.ReentrantLock;

/** A limit on the log lines of one kind, so that hostile or broken peers cannot fill the log. Safe for many threads. */
public final class LogLimit {
    private final int most;
    private final long windowNanos;
    // A leaf: no other lock is taken while it is held.
    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private long windowBegan;

    // -1 before the first line.
    @GuardedBy("lock")
    private int passed = -1;

    @GuardedBy("lock")
    private int suppressed;

    /** Creates a limit of so many lines in each time window. */
    public LogLimit(int most, Duration window) {
        this.most = most;
        this.windowNanos = window.toNanos();
    }

    /** Returns how many lines were suppressed since the last one that was logged; -1 if this one is suppressed. */
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
