package io.realtime.internal;

import io.realtime.Heartbeat;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * A monitor of one connection's signs of life. It pings after an interval without a message, and gives the peer up
 * after the timeout. There is one timer at a time, whatever the traffic; {@link #received} costs one volatile write.
 *
 * <p>A timer that fires late shows that this process was paused (by a debugger, a garbage collection or a suspend) or
 * that its threads were busy. Then silence proves nothing: the answer may wait in the socket. So a peer is given up
 * only if it was pinged and this process ran for the whole time between that ping and the timeout. The monitor checks
 * this in four parts. After a pause of half of that time or more the peer is pinged again. This happens at most three
 * times in a row, so that a process whose timers are always late also gives up.
 *
 * <p>The peer always has time to answer: if the interval ends less than 1 s, and less than a quarter of the timeout,
 * before the timeout, the ping is sent earlier.
 *
 * <p>A slow message is a sign of life as long as {@link #PROGRESS_BYTES} of it arrive within the timeout. So is the
 * same amount of outbound data that the peer accepts. Pings continue meanwhile, because the peer may receive nothing
 * else from this side.
 *
 * <p>Any thread may call {@link #received}; one thread at a time may call {@link #progressed}. The callbacks run on the
 * scheduler's thread.
 */
public final class HeartbeatMonitor {
    /**
     * How many bytes of an unfinished message are a sign of life: a peer that sends fewer within the timeout is given
     * up.
     */
    public static final int PROGRESS_BYTES = 1024;

    private static final long LEAST_GRACE = Duration.ofSeconds(1).toNanos();
    private static final int MOST_PAUSES = 3;
    // Of the time to answer. A timer that is late by more than one part indicates a pause.
    private static final int PARTS = 4;

    private final Scheduler scheduler;
    private final long intervalNanos;
    private final long timeoutNanos;
    private final long graceNanos; // from a ping to the timeout
    private final long partNanos;
    private final LongSupplier taken;
    private final Runnable ping;
    private final Runnable dead;

    private volatile long lastReceived;
    private long due; // used on the scheduler's thread after the start
    private volatile long lastProgress;
    private long lastTaken; // used on the scheduler's thread
    // Late timers since the last sign of life. This field and the next two are used on the scheduler's thread.
    private int pauses;
    private long pinged;
    // The ping at which the peer's time to answer began: the first since a message or a pause.
    private long asked;
    private int progress; // used on the I/O thread: bytes since the last progress
    private volatile boolean stopped;
    private volatile Scheduler.Cancellable timer = () -> {};

    private HeartbeatMonitor(
            Heartbeat heartbeat, double jitter, Scheduler scheduler, LongSupplier taken, Runnable ping, Runnable dead) {
        this.scheduler = scheduler;
        this.timeoutNanos = heartbeat.timeout().toNanos();
        this.intervalNanos = Math.min(
                (long) (heartbeat.interval().toNanos() * (1 - 0.2 * jitter)),
                timeoutNanos - Math.min(LEAST_GRACE, timeoutNanos / 4));
        this.graceNanos = timeoutNanos - intervalNanos;
        this.partNanos = (graceNanos + PARTS - 1) / PARTS;
        this.taken = taken;
        this.ping = ping;
        this.dead = dead;
        this.lastReceived = scheduler.nanoTime();
        this.lastProgress = lastReceived;
        this.asked = lastReceived;
    }

    /**
     * Starts a monitor.
     *
     * @param jitter in [0, 1): shortens the interval by up to a fifth, so that connections that opened at the same time
     *     do not ping at the same time; 0 keeps the interval exact
     * @param ping asks the peer for a sign of life
     * @param dead called once, if there was no sign of life within the timeout
     */
    public static HeartbeatMonitor start(
            Heartbeat heartbeat, double jitter, Scheduler scheduler, Runnable ping, Runnable dead) {
        return start(heartbeat, jitter, scheduler, () -> 0, ping, dead);
    }

    /**
     * Starts a monitor of a connection that reports what its peer accepts.
     *
     * @param taken returns how many of the bytes that had to wait for the peer it has accepted; called on the
     *     scheduler's thread, before each ping and before the end
     */
    public static HeartbeatMonitor start(
            Heartbeat heartbeat, double jitter, Scheduler scheduler, LongSupplier taken, Runnable ping, Runnable dead) {
        HeartbeatMonitor monitor = new HeartbeatMonitor(heartbeat, jitter, scheduler, taken, ping, dead);
        monitor.arm(monitor.intervalNanos);
        return monitor;
    }

    /** Records that a complete message or a control frame arrived. */
    public void received() {
        lastReceived = scheduler.nanoTime();
    }

    /** Records that bytes of an unfinished message arrived. */
    public void progressed(int bytes) {
        progress += bytes;
        if (progress >= PROGRESS_BYTES) {
            progress = 0;
            lastProgress = scheduler.nanoTime();
        }
    }

    /** Stops the monitor. After this returns no callback begins, except one that is about to run. */
    public void stop() {
        stopped = true;
        timer.cancel();
    }

    private void arm(long nanos) {
        due = scheduler.nanoTime() + nanos;
        timer = scheduler.schedule(Duration.ofNanos(nanos), this::check);
        if (stopped) {
            timer.cancel();
        }
    }

    private void check() {
        if (stopped) {
            return;
        }
        long now = scheduler.nanoTime();
        long heard = lastReceived;
        long takenNow = taken.getAsLong();
        if (takenNow - lastTaken >= PROGRESS_BYTES) {
            lastTaken = takenNow;
            lastProgress = now;
        }
        long silence = now - heard;
        long stillness = Math.min(silence, now - lastProgress);
        if (stillness < intervalNanos) {
            pauses = 0;
        }
        if (silence < intervalNanos) {
            arm(intervalNanos - silence);
            return;
        }
        boolean wasPaused = now - due > partNanos && pauses < MOST_PAUSES;
        if (wasPaused) {
            pauses++;
        }
        if (wasPaused || asked - heard <= 0) {
            asked = now;
        } else if (stillness >= timeoutNanos && now - asked >= graceNanos) {
            stopped = true;
            dead.run();
            return;
        }
        if (asked == now || now - pinged >= intervalNanos) {
            pinged = now;
            ping.run();
        }
        long untilPing = intervalNanos - (now - pinged);
        long untilEnd = Math.max(timeoutNanos - stillness, graceNanos - (now - asked));
        arm(Math.min(partNanos, Math.min(untilPing, untilEnd)));
    }
}
