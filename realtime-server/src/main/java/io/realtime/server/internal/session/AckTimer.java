package io.realtime.server.internal.session;

import io.realtime.internal.Steps;
import io.realtime.server.internal.execution.Delayed;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Executor;

/**
 * The sessions that owe their clients an acknowledgement. One timer serves all of them. The server's own threads encode
 * and write, each a part. Safe for use by many threads.
 */
public final class AckTimer {
    private static final Duration DELAY = Duration.ofMillis(100);
    // How many sessions; they take about a millisecond.
    private static final int PART = 256;

    private final Executor executor;
    private final Delayed timer;
    // Bounded: a session is in it at most once.
    private final Queue<SessionAcks> due = new ConcurrentLinkedQueue<>();

    public AckTimer(Scheduler scheduler, Executor executor) {
        this.executor = executor;
        this.timer = new Delayed(scheduler, DELAY, this::handOver);
    }

    /** Lets a session acknowledge within 100 ms. */
    void add(SessionAcks session) {
        due.add(session);
        timer.request();
    }

    private void handOver() {
        List<SessionAcks> part = new ArrayList<>();
        for (SessionAcks next = due.poll(); next != null; next = due.poll()) {
            part.add(next);
            if (part.size() == PART) {
                acknowledge(part);
                part = new ArrayList<>();
            }
        }
        acknowledge(part);
    }

    private void acknowledge(List<SessionAcks> part) {
        if (!part.isEmpty()) {
            executor.execute(() -> Steps.each(part, SessionAcks::due));
        }
    }
}
