package io.realtime.client;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.internal.wire.Json;
import io.realtime.spi.Frame;
import io.realtime.spi.FrameBatch;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The way of the application's messages to the server: into the outbox from any thread, onto the open connection and
 * out of the outbox again on the scheduler's thread, which owns all but {@link #send}, {@link #close} and the outbox.
 *
 * <p>Messages, joins and leaves take turns in the order they were asked for. A message's turn comes when it is on the
 * disk, if there is a file, and who asked behind it waits too; without a connection nobody waits for a turn, since
 * nothing leaves.
 */
final class Sender {
    private static final int BATCH_BYTES = 64 << 10;

    /** How many ephemeral messages may be between {@link #send} and the scheduler's thread. */
    private static final int MOST_EPHEMERAL = 1_000;

    /** How many joins, leaves and ephemeral messages may wait for the disk to take the messages before them. */
    private static final int MOST_BEHIND = 10_000;

    private final Scheduler scheduler;
    private final Callbacks callbacks;
    private final Outbox outbox;
    private final @Nullable FileOutbox file;
    private final AtomicInteger ephemeralPosted = new AtomicInteger();
    private volatile boolean closed;

    // The scheduler's thread only.
    private final ArrayDeque<Turn> turns = new ArrayDeque<>(); // those that wait; bounded by the outbox and behind
    private int behind; // of these, the ones that are no reliable messages; 0 while open is null
    private boolean pumpPosted;
    private @Nullable Link open;
    private Scheduler.@Nullable Cancellable expiry;

    /** A message that is to be stored, or what was asked for behind one. */
    private record Turn(Outbox.@Nullable Entry message, Runnable action) {}

    /** @throws IllegalStateException when the file has served a client before */
    Sender(ClientConfig config, Callbacks callbacks) {
        this.scheduler = config.scheduler();
        this.callbacks = callbacks;
        this.file = config.outboxFile();
        this.outbox = new Outbox(config.outbox(), file != null);
    }

    /** Takes over what an earlier process left in the file, if there is one. */
    void restore() {
        if (file != null) {
            FileOutbox.Client client = new FileOutbox.Client(
                    outbox, callbacks::execute, () -> scheduler.schedule(Duration.ZERO, this::takeTurns), this::report);
            report(file.attach(client, scheduler.nanoTime(), scheduler.currentTimeMillis()));
            scheduler.schedule(Duration.ZERO, this::expire);
        }
    }

    // On any thread

    <T> CompletableFuture<Void> send(Event<T> event, T data, @Nullable String room) {
        CompletableFuture<Void> result = new CompletableFuture<>();
        String json;
        try {
            json = Json.write(data, event.type());
        } catch (PayloadException unfit) {
            result.completeExceptionally(unfit);
            return result;
        }
        Outbox.Entry entry =
                new Outbox.Entry(event.name(), room, json, result, scheduler.nanoTime(), scheduler.currentTimeMillis());
        if (event.isEphemeral()) {
            postEphemeral(entry);
        } else {
            report(outbox.add(entry));
            changed();
            if (entry.seq() > 0) { // it was not refused
                scheduler.schedule(Duration.ZERO, () -> {
                    turns.add(new Turn(entry, this::pumpLater));
                    takeTurns();
                });
            }
        }
        return result;
    }

    private void postEphemeral(Outbox.Entry entry) {
        if (closed) {
            drop(entry, ErrorCode.CLOSED, "the client is closed");
        } else if (ephemeralPosted.incrementAndGet() > MOST_EPHEMERAL) {
            ephemeralPosted.decrementAndGet();
            drop(entry, ErrorCode.OVERLOADED, "too many ephemeral messages");
        } else {
            scheduler.schedule(Duration.ZERO, () -> {
                ephemeralPosted.decrementAndGet();
                if (!inTurn(() -> sendEphemeral(entry))) {
                    drop(entry, ErrorCode.OVERLOADED, "the disk is slow");
                }
            });
            if (closed) { // the scheduler may not run it any more; a second outcome changes nothing
                entry.result.completeExceptionally(new RealtimeException(ErrorCode.CLOSED, "the client is closed"));
            }
        }
    }

    /** Refuses all from now on, and fails what waits; what is in a file stays there, and is not reported. */
    void close() {
        closed = true;
        List<Outbox.Dropped> left = outbox.close();
        if (file == null) {
            report(left);
        } else {
            file.closing();
            left.forEach(one -> callbacks.fail(one.entry().result, one.cause()));
        }
    }

    // On the scheduler's thread

    /**
     * Runs a task behind the messages that were sent before it.
     *
     * @return false when too many wait for the disk, and it will never run
     */
    boolean inTurn(Runnable task) {
        if (open == null || turns.isEmpty()) {
            task.run();
        } else if (behind < MOST_BEHIND) {
            behind++;
            turns.add(new Turn(null, task));
        } else {
            return false;
        }
        return true;
    }

    /**
     * Lets go, in order, who has waited long enough. A message leaves only after its turn: else a pump that was on its
     * way would take it past a join that was asked for before it.
     */
    private void takeTurns() {
        for (Turn head = turns.peek(); head != null; head = turns.peek()) {
            if (head.message() != null && !outbox.admit(head.message())) {
                return;
            }
            turns.remove();
            behind -= head.message() == null ? 1 : 0;
            head.action().run();
        }
    }

    /** Lets go who waits behind messages; these go on waiting for the disk. */
    private void letGoWhoWaitsBehind() {
        List<Turn> others = new ArrayList<>();
        turns.removeIf(turn -> turn.message() == null && others.add(turn));
        behind = 0;
        others.forEach(turn -> turn.action().run());
    }

    /** Pumps behind whatever else was posted by now. */
    private void pumpLater() {
        if (!pumpPosted) {
            pumpPosted = true;
            scheduler.schedule(Duration.ZERO, () -> {
                pumpPosted = false;
                pump();
            });
        }
    }

    /** The outbox has changed, which the file has to learn. */
    private void changed() {
        if (file != null) {
            file.wake();
        }
    }

    private void sendEphemeral(Outbox.Entry entry) {
        if (open == null) {
            drop(entry, ErrorCode.CONNECTION_LOST, "an ephemeral message is not kept while offline");
        } else if (open.isCrowded(ClientEngine.OUTBOUND_BYTES) || !open.send(FrameBatch.of(entry.frame()))) {
            drop(entry, ErrorCode.OVERLOADED, "the connection is slow");
        } else {
            callbacks.completeVoid(entry.result);
        }
    }

    /** A session is open: forgets what the server has processed, then sends the rest, the oldest first. */
    void welcomed(Link link, long processed, int messageBytes) {
        report(outbox.skip(processed));
        complete(outbox.acknowledged(processed));
        report(outbox.limitMessages(messageBytes));
        changed();
        open = link;
        pump();
    }

    void connectionLost() {
        open = null;
        outbox.connectionLost();
        letGoWhoWaitsBehind();
        expire();
    }

    /** Everything up to this number is processed. */
    void acknowledged(long seq) {
        complete(outbox.acknowledged(seq));
        changed();
        pump();
    }

    /** The server could not process a message, and will not see it again. */
    void failed(long seq, RemoteException failure) {
        Outbox.Entry failed = outbox.failed(seq);
        if (failed == null) {
            return;
        }
        if (failed.isRestored()) { // nobody waits for it, and somebody should know
            report(Collections.singletonList(new Outbox.Dropped(failed, failure)));
        } else {
            callbacks.fail(failed.result, failure);
        }
        changed();
        pump();
    }

    /** The connection is about to end because a message was too big: the longest on its way, most likely. */
    void tooBig(CloseReason reason) {
        Outbox.Entry longest = outbox.failed(outbox.longestInflight());
        if (longest != null) {
            drop(longest, ErrorCode.TOO_BIG, "too big for the server: " + reason);
            changed();
        }
    }

    /** Sends what may be sent now. */
    void pump() {
        while (open != null) {
            List<Outbox.Entry> entries = outbox.unsent(open.inflight, BATCH_BYTES);
            List<Frame> frames = new ArrayList<>(entries.size());
            for (Outbox.Entry entry : entries) {
                frames.add(entry.frame());
            }
            if (frames.isEmpty() || !open.send(FrameBatch.of(frames, false))) { // onDrained or onClosed will tell
                break;
            }
            outbox.sent(entries);
        }
        watchExpiry();
    }

    private void expire() {
        stopExpiry();
        report(outbox.expire(scheduler.nanoTime()));
        changed();
        watchExpiry();
    }

    private void watchExpiry() {
        Duration until = expiry == null && !closed ? outbox.untilExpiry(scheduler.nanoTime()) : null;
        if (until != null) {
            expiry = scheduler.schedule(until, this::expire);
        }
    }

    /** Ends the timer, has the file take what it has not yet, closes it, and runs {@code last}. */
    void finish(Runnable last) {
        stopExpiry();
        if (file == null) {
            last.run();
        } else {
            file.finish(last);
        }
    }

    private void stopExpiry() {
        if (expiry != null) {
            expiry.cancel();
            expiry = null;
        }
    }

    private void complete(List<Outbox.Entry> processed) {
        for (Outbox.Entry entry : processed) {
            callbacks.completeVoid(entry.result);
        }
    }

    private void report(List<Outbox.Dropped> dropped) {
        for (Outbox.Dropped one : dropped) {
            callbacks.dropped(one.entry().result, one.message());
        }
    }

    private void drop(Outbox.Entry entry, ErrorCode code, String why) {
        boolean retryable = code.equals(ErrorCode.OVERLOADED) || code.equals(ErrorCode.CONNECTION_LOST);
        RealtimeException cause = new RealtimeException(code, why, retryable, null);
        report(Collections.singletonList(new Outbox.Dropped(entry, cause)));
    }
}
