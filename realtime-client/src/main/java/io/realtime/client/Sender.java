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
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The way of the application's messages to the server: into the outbox from any thread, onto the open connection and
 * out of the outbox again on the scheduler's thread, which owns all but {@link #send}, {@link #close} and the outbox.
 */
final class Sender {
    private static final int BATCH_BYTES = 64 << 10;

    /** How many ephemeral messages may be between {@link #send} and the scheduler's thread. */
    private static final int MOST_EPHEMERAL = 1_000;

    private final Scheduler scheduler;
    private final Callbacks callbacks;
    private final Outbox outbox;
    private final AtomicInteger ephemeralPosted = new AtomicInteger();
    private volatile boolean closed;

    // The scheduler's thread only.
    private boolean pumpPosted;
    private @Nullable Link open;
    private Scheduler.@Nullable Cancellable expiry;

    Sender(ClientConfig config, Callbacks callbacks) {
        this.scheduler = config.scheduler();
        this.callbacks = callbacks;
        this.outbox = new Outbox(config.outbox());
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
        Outbox.Entry entry = new Outbox.Entry(event, room, data, json, result, scheduler.nanoTime());
        if (event.isEphemeral()) {
            postEphemeral(entry);
        } else {
            report(outbox.add(entry));
            scheduler.schedule(Duration.ZERO, () -> admit(entry));
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
                sendEphemeral(entry);
            });
            if (closed) { // the scheduler may not run it any more; a second outcome changes nothing
                entry.result.completeExceptionally(new RealtimeException(ErrorCode.CLOSED, "the client is closed"));
            }
        }
    }

    /** Refuses all from now on, and fails what waits. */
    void close() {
        closed = true;
        report(outbox.close());
    }

    // On the scheduler's thread

    /**
     * Lets a message leave, and pumps behind whatever else was posted by now. A message leaves only after its own turn on
     * the scheduler: else a pump that was on its way would take it past a join that was asked for before it.
     */
    private void admit(Outbox.Entry entry) {
        outbox.admit(entry);
        if (!pumpPosted) {
            pumpPosted = true;
            scheduler.schedule(Duration.ZERO, () -> {
                pumpPosted = false;
                pump();
            });
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
        complete(outbox.acknowledged(processed));
        report(outbox.limitMessages(messageBytes));
        open = link;
        pump();
    }

    void connectionLost() {
        open = null;
        outbox.connectionLost();
        expire();
    }

    /** Everything up to this number is processed. */
    void acknowledged(long seq) {
        complete(outbox.acknowledged(seq));
        pump();
    }

    /** The server could not process a message, and will not see it again. */
    void failed(long seq, RemoteException failure) {
        Outbox.Entry failed = outbox.failed(seq);
        if (failed != null) {
            callbacks.fail(failed.result, failure);
            pump();
        }
    }

    /** The connection is about to end because a message was too big: the longest on its way, most likely. */
    void tooBig(CloseReason reason) {
        Outbox.Entry longest = outbox.failed(outbox.longestInflight());
        if (longest != null) {
            drop(longest, ErrorCode.TOO_BIG, "too big for the server: " + reason);
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
        watchExpiry();
    }

    private void watchExpiry() {
        Duration until = expiry == null && !closed ? outbox.untilExpiry(scheduler.nanoTime()) : null;
        if (until != null) {
            expiry = scheduler.schedule(until, this::expire);
        }
    }

    /** Ends the timer. */
    void stopExpiry() {
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
