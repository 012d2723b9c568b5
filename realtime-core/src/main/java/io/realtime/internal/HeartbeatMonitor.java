package io.realtime.internal;

import io.realtime.Heartbeat;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.function.LongSupplier;

/**
 * Watches one connection for signs of life: pings after an interval without a message, gives up after the timeout. One
 * timer at a time, whatever the traffic; {@link #received} costs one volatile write.
 *
 * <p>A timer that comes late says that this process was paused, by a debugger, a collection or a sleep, or its threads
 * were kept busy. Then silence proves nothing: the answer may wait in the socket. So a peer is given up only when it was
 * asked and this process ran for the whole time between a ping and the timeout, looked at in four parts; after a pause of
 * half of that time or more the peer is asked anew. That happens three times in a row at most, so that a process whose
 * timers are always late gives up as well.
 *
 * <p>The peer always has a while to answer: when the interval ends less than 1 s and less than a quarter of the timeout
 * before the timeout, the ping leaves earlier.
 *
 * <p>A message that comes slowly is a sign of life as long as {@link #PROGRESS_BYTES} of it come within the timeout, and so
 * is as much that the peer takes of what waits for it. The pings go on meanwhile, since the peer may hear nothing else of
 * this side.
 *
 * <p>{@link #received} may be called by any thread, {@link #progressed} by one at a time; the callbacks run on the
 * scheduler's thread.
 */
public final class HeartbeatMonitor {
    /** How much of an unfinished message is a sign of life: a peer that sends less within the timeout is given up. */
    public static final int PROGRESS_BYTES = 1024;

    private static final long LEAST_GRACE = Duration.ofSeconds(1).toNanos();
    private static final int MOST_PAUSES = 3;
    private static final int PARTS = 4; // of the time to answer: a timer that is late by more than one tells of a pause

    private final Scheduler scheduler;
    private final long intervalNanos;
    private final long timeoutNanos;
    private final long graceNanos; // from a ping to the timeout
    private final long partNanos;
    private final LongSupplier taken;
    private final Runnable ping;
    private final Runnable dead;

    private volatile long lastReceived;
    private long due; // on the scheduler's thread, after the start
    private volatile long lastProgress;
    private long lastTaken; // the scheduler's thread's
    private int pauses; // the scheduler's thread's, as the next two: late timers since the last sign of life
    private long pinged;
    private long asked; // the ping from which on the peer has its time: the first since a message or a pause
    private int progress; // the I/O thread's: bytes since the last progress
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
     * Begins to watch.
     *
     * @param jitter in [0, 1): shortens the interval by up to a fifth, so that connections made at once do not ping at
     *     once; 0 keeps it exact
     * @param ping asks the peer for a sign of life
     * @param dead called once, when there was none for the timeout
     */
    public static HeartbeatMonitor start(
            Heartbeat heartbeat, double jitter, Scheduler scheduler, Runnable ping, Runnable dead) {
        return start(heartbeat, jitter, scheduler, () -> 0, ping, dead);
    }

    /**
     * Begins to watch a connection that says what its peer takes.
     *
     * @param taken how many bytes the peer has taken of what had to wait for it; asked on the scheduler's thread, before
     *     each ping and before the end
     */
    public static HeartbeatMonitor start(
            Heartbeat heartbeat, double jitter, Scheduler scheduler, LongSupplier taken, Runnable ping, Runnable dead) {
        HeartbeatMonitor monitor = new HeartbeatMonitor(heartbeat, jitter, scheduler, taken, ping, dead);
        monitor.arm(monitor.intervalNanos);
        return monitor;
    }

    /** Notes that something arrived, and whole. */
    public void received() {
        lastReceived = scheduler.nanoTime();
    }

    /** Notes that bytes arrived of a message that is not whole yet. */
    public void progressed(int bytes) {
        progress += bytes;
        if (progress >= PROGRESS_BYTES) {
            progress = 0;
            lastProgress = scheduler.nanoTime();
        }
    }

    /** Ends the watch; neither callback begins after this returns, except one that is about to run. */
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
