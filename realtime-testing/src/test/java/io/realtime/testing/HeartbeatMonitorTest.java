package io.realtime.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.Heartbeat;
import io.realtime.internal.HeartbeatMonitor;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Core's monitor, tested here because core cannot depend on manual time. */
class HeartbeatMonitorTest {
    private final ManualScheduler time = new ManualScheduler();
    private final List<String> calls = new ArrayList<>();

    private long pausedNanos; // the process was paused: its clock went on, its timers come late

    private long resumesNanos; // the process is paused until then: what is due meanwhile runs then

    private final Scheduler pausable = new Scheduler() {
        @Override
        public long nanoTime() {
            return Math.max(time.nanoTime() + pausedNanos, resumesNanos);
        }

        @Override
        public long currentTimeMillis() {
            return time.currentTimeMillis();
        }

        @Override
        public Cancellable schedule(Duration delay, Runnable task) {
            return time.schedule(delay.plusNanos(nanoTime() - time.nanoTime() - pausedNanos), task);
        }
    };

    private HeartbeatMonitor start(long intervalMs, long timeoutMs, double jitter) {
        return HeartbeatMonitor.start(
                new Heartbeat(Duration.ofMillis(intervalMs), Duration.ofMillis(timeoutMs)),
                jitter,
                pausable,
                () -> calls.add("ping " + millis()),
                () -> calls.add("dead " + millis()));
    }

    private long millis() {
        return pausable.nanoTime() / 1_000_000;
    }

    private void advance(long ms) {
        time.advance(Duration.ofMillis(ms));
    }

    @Test
    void itPingsAtTheIntervalAndNotAMillisecondEarlier() {
        start(30_000, 60_000, 0);
        advance(29_999);
        assertEquals(List.of(), calls);
        advance(1);
        assertEquals(List.of("ping 30000"), calls);
    }

    @Test
    void itGivesUpAtTheTimeoutExactlyAndOnce() {
        start(30_000, 60_000, 0);
        advance(59_999);
        assertEquals(List.of("ping 30000"), calls);
        advance(1);
        assertEquals(List.of("ping 30000", "dead 60000"), calls);
        assertEquals(0, time.pending());
        advance(1_000_000);
        assertEquals(2, calls.size());
    }

    @Test
    void progressOfMessagePostponesTheTimeout() {
        HeartbeatMonitor monitor = start(30_000, 60_000, 0);
        for (int i = 0; i < 5; i++) {
            advance(29_999);
            monitor.progressed(HeartbeatMonitor.PROGRESS_BYTES - 1);
            monitor.progressed(1);
            advance(1);
        }
        assertEquals(List.of("ping 30000", "ping 60000", "ping 90000", "ping 120000", "ping 150000"), calls);
        advance(59_998);
        assertEquals(6, calls.size());
        advance(1);
        assertEquals("dead 209999", calls.get(6));
    }

    @Test
    void bytesTakenByThePeerPostponeTheTimeout() {
        AtomicLong taken = new AtomicLong();
        HeartbeatMonitor unused = HeartbeatMonitor.start(
                new Heartbeat(Duration.ofSeconds(30), Duration.ofSeconds(60)),
                0,
                time,
                taken::get,
                () -> {},
                () -> calls.add("dead " + millis()));
        for (int i = 0; i < 5; i++) {
            advance(59_999);
            taken.addAndGet(HeartbeatMonitor.PROGRESS_BYTES);
            advance(1);
        }
        assertEquals(List.of(), calls);
        taken.addAndGet(HeartbeatMonitor.PROGRESS_BYTES - 1);
        advance(60_000);
        assertEquals(List.of("dead 360000"), calls);
    }

    @Test
    void progressBelowTheMinimumIsNotActivity() {
        HeartbeatMonitor monitor = start(30_000, 60_000, 0);
        for (int i = 0; i < 60; i++) {
            monitor.progressed(HeartbeatMonitor.PROGRESS_BYTES / 60);
            advance(1_000);
        }
        assertEquals(List.of("ping 30000", "dead 60000"), calls);
    }

    @Test
    void activityResetsTheTimeout() {
        HeartbeatMonitor monitor = start(30_000, 60_000, 0);
        advance(30_000);
        advance(5);
        monitor.received(); // the pong
        advance(29_999);
        assertEquals(List.of("ping 30000"), calls);
        advance(1);
        assertEquals(List.of("ping 30000", "ping 60005"), calls);
        advance(29_999);
        assertEquals(2, calls.size());
        advance(1);
        assertEquals(List.of("ping 30000", "ping 60005", "dead 90005"), calls);
    }

    @Test
    void peerThatTalksIsNeverPinged() {
        HeartbeatMonitor monitor = start(30_000, 60_000, 0);
        for (int i = 0; i < 1_000; i++) {
            advance(29_999);
            monitor.received();
            assertEquals(1, time.pending());
        }
        assertEquals(List.of(), calls);
    }

    @Test
    void longTimeoutLeavesTimeForSeveralPings() {
        start(30_000, 100_000, 0);
        advance(200_000);
        assertEquals(List.of("ping 30000", "ping 60000", "ping 90000", "dead 100000"), calls);
    }

    @Test
    void jitterShortensTheIntervalNotTheTimeout() {
        start(30_000, 60_000, 0.5);
        advance(26_999);
        assertEquals(List.of(), calls);
        advance(1);
        assertEquals(List.of("ping 27000"), calls);
        advance(33_000);
        assertEquals(List.of("ping 27000", "ping 54000", "dead 60000"), calls);
    }

    @Test
    void stopLeavesNothingPending() {
        HeartbeatMonitor monitor = start(30_000, 60_000, 0);
        advance(31_000);
        assertEquals(1, time.pending());
        monitor.stop();
        assertEquals(0, time.pending());
        advance(100_000);
        assertEquals(List.of("ping 30000"), calls);
    }

    @Test
    void stoppedByItsOwnPingItLeavesNothingPending() {
        var monitors = new ArrayList<HeartbeatMonitor>();
        monitors.add(HeartbeatMonitor.start(
                Heartbeat.defaults(),
                0,
                time,
                () -> {
                    calls.add("ping");
                    monitors.get(0).stop();
                },
                () -> calls.add("dead")));
        advance(30_000);
        assertEquals(List.of("ping"), calls);
        assertEquals(0, time.pending());
    }

    @Test
    void pausedProcessPingsBeforeItGivesUp() {
        start(30_000, 60_000, 0);
        advance(29_999);
        pausedNanos = Duration.ofMinutes(10).toNanos();
        advance(1);
        assertEquals(List.of("ping 630000"), calls);
        advance(29_999);
        assertEquals(1, calls.size());
        advance(1);
        assertEquals(List.of("ping 630000", "dead 660000"), calls);
    }

    @Test
    void answerAfterAPauseIsALifeSign() {
        HeartbeatMonitor monitor = start(30_000, 60_000, 0);
        advance(59_999);
        pausedNanos = Duration.ofMinutes(10).toNanos();
        advance(1);
        assertEquals(List.of("ping 30000", "ping 660000"), calls);
        monitor.received();
        advance(30_000);
        assertEquals(List.of("ping 30000", "ping 660000", "ping 690000"), calls);
    }

    /** Timers come before what waits in the socket when the process goes on. */
    @ParameterizedTest
    @ValueSource(longs = {15_000, 15_001, 22_500, 29_999, 30_000, 33_000, 37_500, 45_000, 67_500, 90_000, 600_000})
    void pauseAfterThePingLeavesTimeToAnswer(long pausedMs) {
        HeartbeatMonitor monitor = start(30_000, 60_000, 0);
        advance(30_000);
        resumesNanos = Duration.ofMillis(30_000 + pausedMs).toNanos();
        advance(pausedMs);
        advance(14_999);
        assertEquals(
                List.of(),
                calls.stream().filter(call -> call.startsWith("dead")).collect(Collectors.toList()));
        monitor.received();
        int before = calls.size();
        advance(29_999);
        assertEquals(before, calls.size());
    }

    @Test
    void deadPeerIsGivenUpAGraceAfterAPauseAfterThePing() {
        start(30_000, 60_000, 0);
        advance(30_000);
        resumesNanos = Duration.ofSeconds(63).toNanos();
        advance(63_000);
        assertEquals(List.of("ping 30000", "ping 63000", "dead 93000"), calls);
    }

    /** Timers come a little later each time, as those of a real scheduler do. */
    private void advanceWithLateTimers(long ms, long lateNanos) {
        for (long i = 0; i < ms; i++) {
            pausedNanos += lateNanos;
            advance(1);
        }
    }

    @Test
    void deadPeerIsGivenUpThoughTheTimeoutIsShort() {
        HeartbeatMonitor unused = HeartbeatMonitor.start(
                new Heartbeat(Duration.ofSeconds(30), Duration.ofSeconds(30).plusNanos(1)),
                0,
                pausable,
                () -> calls.add("ping"),
                () -> calls.add("dead"));
        advanceWithLateTimers(40_000, 1_000);
        assertEquals(List.of("ping", "dead"), calls);
    }

    @Test
    void answerHasASecondThoughTheTimeoutIsShort() {
        HeartbeatMonitor monitor = start(30_000, 30_001, 0);
        advance(29_000);
        assertEquals(List.of(), calls);
        advance(1);
        assertEquals(List.of("ping 29001"), calls);
        advance(999);
        monitor.received();
        advance(29_000);
        assertEquals(List.of("ping 29001"), calls);
        advance(1);
        assertEquals(List.of("ping 29001", "ping 59001"), calls);
    }

    @Test
    void shortTimeoutLeavesAQuarterForTheAnswer() {
        start(100, 104, 0);
        advance(77);
        assertEquals(List.of(), calls);
        advance(1_000);
        assertEquals(List.of("ping 78", "dead 104"), calls);
    }

    @Test
    void deadPeerIsGivenUpThoughEveryTimerIsLate() {
        start(30_000, 60_000, 0);
        for (int i = 0; i < 20; i++) {
            advance(29_999);
            pausedNanos += Duration.ofSeconds(10).toNanos();
            advance(1);
        }
        assertEquals(List.of("ping 40000", "ping 80000", "ping 120000", "dead 160000"), calls);
    }

    @Test
    void timerThatIsALittleLateChangesNothing() {
        start(30_000, 60_000, 0);
        advance(59_999);
        pausedNanos = Duration.ofMillis(7_500).toNanos(); // a quarter of the time to answer
        advance(1);
        assertEquals(List.of("ping 30000", "dead 67500"), calls);
    }
}
