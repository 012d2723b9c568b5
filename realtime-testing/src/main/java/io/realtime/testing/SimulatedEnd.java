package io.realtime.testing;

import io.realtime.CloseReason;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One end of a {@link SimulatedLink}. What it sends arrives at the other end in order, and counts as waiting until
 * then. If the other end is dead or unreachable, it waits forever. For the thread that advances the time.
 */
final class SimulatedEnd implements Connection {
    private static final Duration CLOSE_GRACE = Duration.ofSeconds(5);

    private final InMemoryNetwork network;
    private final SimulatedLink link;
    private int messageBytes;
    private final int outboundBytes;
    // Both hold frames up to the outbound bound, and one ping or pong for each that was requested.
    private final Deque<Scheduler.Cancellable> onTheWay = new ArrayDeque<>(); // sent from here, in order of arrival
    private final List<Runnable> stalled = new ArrayList<>();
    private final Deque<Runnable> held = new ArrayDeque<>(); // arrived while the other end's host is paused
    private final Deque<MessageBatch> queued = new ArrayDeque<>(); // deferred until a flush

    private @Nullable ConnectionListener listener;
    private @Nullable CloseReason reason; // the first reason that was determined
    private boolean byPeer; // the reason comes from the other end
    private Ended whenOver = (why, byPeer) -> {};
    private Scheduler.Cancellable grace = () -> {};
    private Scheduler.Cancellable reset = () -> {};
    private long waiting;
    private long lastArrival;
    private long bytesToReset = Long.MAX_VALUE;
    private long lastHeard;
    private long longestSilence; // in ns, before lastHeard
    private final List<Runnable> lagging = new ArrayList<>(); // flushes that wait, at most one for each room
    private boolean owesDrained;
    private boolean isStalled;
    private boolean isHalfOpen;
    private boolean hasHole; // something was lost, so nothing after it arrives
    private boolean damagesNext; // the next frame to arrive cannot be decoded
    // A message was damaged or too big, so no further input is decoded.
    private boolean isDeaf;
    private boolean closing;
    private boolean over;

    /** A handler of the end. */
    interface Ended {
        void ended(CloseReason reason, boolean byPeer);
    }

    SimulatedEnd(InMemoryNetwork network, SimulatedLink link, int messageBytes, int outboundBytes) {
        this.network = network;
        this.link = link;
        this.messageBytes = messageBytes;
        this.outboundBytes = outboundBytes;
        this.lastHeard = network.nanoTime();
    }

    /** Sets the listener; calls it immediately if the connection ended before. */
    void listen(ConnectionListener to) {
        listener = to;
        whenOver(to::onClosed);
        if (over) {
            tellOfEnd();
        }
    }

    /** Sets the handler of the end; before this there was none. */
    void whenOver(Ended told) {
        whenOver = told;
    }

    boolean isOver() {
        return over;
    }

    SimulatedLink link() {
        return link;
    }

    private SimulatedEnd peer() {
        return link.peerOf(this);
    }

    // ---- Connection

    @Override
    public boolean send(MessageBatch batch) {
        boolean isTaken = queue(batch);
        flush();
        return isTaken;
    }

    @Override
    public boolean queue(MessageBatch batch) {
        if (closing || over) {
            return false;
        }
        if (waiting + batch.bytes() > outboundBytes) {
            owesDrained |= waiting > 0;
            return false;
        }
        waiting += batch.bytes();
        owesDrained |= waiting > outboundBytes / 2;
        network.tap().sent(link, link.directionOf(this), batch);
        queued.add(batch);
        if (waiting > outboundBytes / 4) {
            flush();
        }
        return true;
    }

    @Override
    public void flush() {
        for (MessageBatch batch = queued.poll(); batch != null; batch = queued.poll()) {
            int left = batch.frames().size();
            int bytes = batch.bytes();
            for (WireMessage frame : batch.frames()) {
                left--;
                int taken = left == 0 ? bytes : 0;
                travel(() -> arrive(frame, taken));
            }
        }
    }

    @Override
    public long outboundBytes() {
        return waiting;
    }

    @Override
    public void limitMessages(int bytes) {
        messageBytes = bytes;
    }

    @Override
    public boolean awaitWritable(Runnable caughtUp) {
        if (!network.isLagging() || over) {
            return false;
        }
        lagging.add(caughtUp);
        return true;
    }

    /** Resumes the flushes that wait for this end. */
    void caughtUp() {
        List<Runnable> waited = new ArrayList<>(lagging);
        lagging.clear();
        waited.forEach(flush -> network.after(Duration.ZERO, flush));
    }

    /** Returns the longest time until now in which nothing arrived here. */
    Duration longestSilence() {
        return Duration.ofNanos(Math.max(longestSilence, network.nanoTime() - lastHeard));
    }

    private void heard() {
        longestSilence = longestSilence().toNanos();
        lastHeard = network.nanoTime();
    }

    @Override
    public void ping() {
        if (closing || over) {
            return;
        }
        flush();
        travel(() -> {
            peer().activity();
            peer().travel(this::activity);
        });
    }

    @Override
    public void close(CloseReason why) {
        if (closing || over) {
            return;
        }
        flush();
        closing = true;
        reason = why;
        network.tap().closing(link, link.directionOf(this), why);
        CloseReason heard = isSendable(why.code()) ? why : new CloseReason(CloseReason.NO_STATUS, "");
        travel(() -> peer().closedByPeer(heard));
        cutAfter(CLOSE_GRACE);
    }

    /** Returns whether a code may be sent in a close frame (RFC 6455 section 7.4.1). */
    private static boolean isSendable(int code) {
        return code != CloseReason.NO_STATUS && code != CloseReason.ABNORMAL && code != 1015;
    }

    @Override
    public void abort() {
        if (!over) {
            network.tap().closing(link, link.directionOf(this), new CloseReason(CloseReason.ABNORMAL, "aborted"));
            end(new CloseReason(CloseReason.ABNORMAL, "aborted"));
            peer().resetByPeer();
            // Never on the caller's stack, which may be the listener's.
            network.after(Duration.ZERO, this::tellOfEnd);
        }
    }

    /** Sets how long the other end may take to answer a close; an earlier deadline is kept. */
    void cutAfter(Duration limit) {
        if (over) {
            return;
        }
        Scheduler.Cancellable earlier = grace;
        Scheduler.Cancellable latest = network.after(limit, this::cut);
        grace = () -> {
            earlier.cancel();
            latest.cancel();
        };
    }

    @Override
    public String remoteAddress() {
        return "in-memory:1";
    }

    // ---- faults

    void stall(boolean stall) {
        isStalled = stall;
        if (!stall) {
            List<Runnable> kept = new ArrayList<>(stalled);
            stalled.clear();
            kept.forEach(this::travel);
        }
    }

    void halfOpen() {
        isHalfOpen = true;
    }

    void damageNext() {
        damagesNext = true;
    }

    void resetAfter(long bytes) {
        bytesToReset = bytes;
    }

    // ---- in flight

    /** Runs an arrival at the other end after the latency, after everything that was sent before. */
    void travel(Runnable arrival) {
        // Pings and the close also wait, because a peer that does not read sees nothing.
        if (isStalled) {
            stalled.add(arrival);
            return;
        }
        hasHole |= isHalfOpen || network.isBlackHole();
        if (hasHole) {
            return;
        }
        long now = network.nanoTime();
        lastArrival = Math.max(lastArrival, now + link.nextLatency().toNanos());
        onTheWay.add(network.after(Duration.ofNanos(lastArrival - now), () -> {
            onTheWay.remove();
            peer().heard();
            hand(arrival);
        }));
    }

    /** Delivers an arrival to the other end. If its host is paused, delivers it at the end of the pause, in order. */
    private void hand(Runnable arrival) {
        if (peer().over) { // it can no longer receive
            return;
        }
        long paused = link.pausedNanos(peer());
        if (paused == 0 && held.isEmpty()) {
            arrival.run();
            return;
        }
        held.add(arrival);
        if (held.size() == 1) {
            network.after(Duration.ofNanos(paused), this::release);
        }
    }

    private void release() {
        long paused = link.pausedNanos(peer());
        if (paused > 0) { // it was paused again
            network.after(Duration.ofNanos(paused), this::release);
            return;
        }
        for (Runnable next = held.peek(); next != null; next = held.peek()) {
            if (!peer().over) {
                next.run();
            }
            held.remove();
        }
    }

    private void arrive(WireMessage frame, int taken) {
        if (frame.length() > bytesToReset) {
            link.reset();
            return;
        }
        bytesToReset -= frame.length();
        waiting -= taken;
        if (waiting == 0 && owesDrained && listener != null && !over) {
            owesDrained = false;
            listener.onDrained();
        }
        boolean isDamaged = damagesNext;
        damagesNext = false;
        if (!isDamaged && !peer().isDeaf && !peer().over) {
            network.tap().arrived(link, link.directionOf(this), frame);
        }
        peer().receive(frame, isDamaged);
        if (bytesToReset == 0) {
            link.reset();
        }
    }

    private void receive(WireMessage frame, boolean isDamaged) {
        if (isDeaf || over || listener == null) {
            return;
        }
        if (isDamaged) {
            isDeaf = true;
            close(new CloseReason(CloseReason.WEBSOCKET_PROTOCOL_ERROR, "reserved bit set"));
        } else if (frame.length() > messageBytes) {
            isDeaf = true;
            close(new CloseReason(CloseReason.TOO_BIG, "message longer than " + messageBytes + " bytes"));
        } else if (frame.isText()) {
            listener.onText(frame.asText());
        } else {
            listener.onBinary(frame.payload());
        }
    }

    private void activity() {
        if (listener != null && !over) {
            listener.onActivity();
        }
    }

    // ---- the end

    private void closedByPeer(CloseReason why) {
        closing = true;
        travel(() -> peer().ended(why));
        byPeer = reason == null;
        ended(why);
    }

    private void cut() {
        ended(new CloseReason(CloseReason.ABNORMAL, "cut"));
        peer().resetByPeer();
    }

    /** Handles the loss of the other end: sends a reset to this one, which may overtake what was sent before it. */
    void resetByPeer() {
        if (!over && !network.isBlackHole() && !peer().isHalfOpen) {
            reset = network.after(
                    link.nextLatency(), () -> ended(new CloseReason(CloseReason.ABNORMAL, "connection reset")));
        }
    }

    /** Ends this end and calls its listener. */
    void ended(CloseReason why) {
        if (!over) {
            end(why);
            tellOfEnd();
        }
    }

    private void end(CloseReason why) {
        if (reason == null) {
            reason = why;
        }
        die();
    }

    private void tellOfEnd() {
        Ended told = whenOver;
        if (reason != null && !link.isHostDead(this)) {
            whenOver = (why, byPeer) -> {};
            told.ended(reason, byPeer);
        }
    }

    /** Ends this end without a call to its listener, and without a notice to the other end. */
    void die() {
        over = true;
        closing = true;
        waiting = 0;
        stalled.clear();
        queued.clear();
        caughtUp(); // no flush may wait for this end any more
        grace.cancel();
        reset.cancel();
        peer().onTheWay.forEach(Scheduler.Cancellable::cancel); // there is no receiver any more
        peer().onTheWay.clear();
        link.endIsOver(this);
    }
}
