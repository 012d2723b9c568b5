package io.realtime.client;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The way of the application's messages to the server: into the outbox from any thread, onto the open connection and
 * out of the outbox again on the scheduler's thread, which owns all but {@link #send}, {@link #close} and the outbox.
 *
 * <p>A message may leave once its own turn on the scheduler's thread has come, so that it does not overtake a join that was
 * asked for before it, and once it is on the disk, if there is a file.
 */
final class Sender {
    private static final int BATCH_BYTES = 64 << 10;

    /** How many messages, beside a full outbox, may be between {@link #send} and the scheduler's thread: they were given up. */
    private static final int MOST_GIVEN_UP = 10_000;

    /** How many ephemeral messages may be between {@link #send} and the scheduler's thread. */
    private static final int MOST_EPHEMERAL = 1_000;

    /** After so long a file that holds all messages back is tried again. */
    private static final Duration FILE_RETRY = Duration.ofSeconds(1);

    private final Scheduler scheduler;
    private final CallbackDispatcher callbacks;
    private final LongSupplier answersRead;
    private final IntSupplier asked;
    private final BooleanSupplier isHeld;
    private final Runnable onProgress;
    private final Runnable onAsked;
    private final Outbox outbox;
    private final @Nullable FileOutbox file;
    private final int outboundBytes;
    private final AtomicInteger posted = new AtomicInteger(); // messages that wait for the scheduler's thread
    private final long mostPosted;
    private final AtomicInteger ephemeralPosted = new AtomicInteger();
    private final Once progress;
    private final AtomicBoolean retries = new AtomicBoolean(); // a timer runs to try the file again
    private volatile boolean closed;

    // The scheduler's thread only.
    private boolean pumpPosted;
    private long ackSeq; // acknowledged, and not settled yet; 0 for nothing
    private long ackBehind;
    private @Nullable ServerConnection open;
    private Scheduler.@Nullable Cancellable expiry;
    private boolean wasWelcomed;
    private long welcomedAt; // on the server's clock, at the last welcome; 0 when that did not say
    private long welcomedNanos; // the same on the monotonic clock

    /**
     * A sender of nothing yet.
     *
     * @param answersRead up to where the session's inbox is read
     * @param asked how many questions are under way beside the messages
     * @param isHeld whether no message may leave for now; {@link #pump} is called when that changes
     * @param onProgress called on the scheduler's thread when messages may have left the outbox
     * @param onAsked called on the scheduler's thread before a message may leave that the application wants to send, and
     *     wants so outside of its callbacks
     * @throws IllegalStateException when the file has served a client before
     */
    Sender(
            ClientConfig config,
            CallbackDispatcher callbacks,
            LongSupplier answersRead,
            IntSupplier asked,
            BooleanSupplier isHeld,
            Runnable onProgress,
            Runnable onAsked) {
        this.scheduler = config.scheduler();
        this.callbacks = callbacks;
        this.answersRead = answersRead;
        this.asked = asked;
        this.isHeld = isHeld;
        this.onProgress = onProgress;
        this.onAsked = onAsked;
        this.progress = new Once(task -> scheduler.schedule(Duration.ZERO, task), onProgress);
        this.mostPosted = (long) config.outbox().messages() + MOST_GIVEN_UP;
        this.file = config.outboxFile();
        this.outboundBytes = config.target().outboundBytes();
        this.outbox = new Outbox(config.outbox(), file != null, outboundBytes);
    }

    /** Takes over what an earlier process left in the file, if there is one. */
    void restore() {
        if (file != null) {
            FileOutbox.Client client = new FileOutbox.Client(
                    outbox, callbacks, () -> scheduler.schedule(Duration.ZERO, this::pump), this::notStored);
            report(file.attach(client, scheduler.nanoTime(), scheduler.currentTimeMillis()));
            report(file, file.takeDamage());
            scheduler.schedule(Duration.ZERO, this::expire);
        }
    }

    private void report(FileOutbox from, OutboxJournal.@Nullable Damage damage) {
        if (damage == null) {
            return;
        }
        for (OutboxJournal.Stored lost : damage.lost()) {
            RealtimeException cause =
                    new RealtimeException(ErrorCode.STORAGE, "the message was damaged in its file", false, null);
            callbacks.dropped(
                    new CompletableFuture<>(),
                    new DroppedMessage(lost.name(), lost.room(), null, callbacks.payloads(), cause));
        }
        callbacks.error(new RealtimeException(
                ErrorCode.STORAGE,
                from + " was damaged: " + damage.bytes() + " bytes in " + damage.places()
                        + " places could not be read, and are kept in a file beside it",
                false,
                null));
    }

    // On any thread

    /** Returns the number of the newest message; 0 before the first. */
    long lastSeq() {
        return outbox.lastSeq();
    }

    /** Returns whether every message up to this number has had its fate. */
    boolean isDone(long seq) {
        return outbox.isDone(seq);
    }

    <T> CompletableFuture<Void> send(Event<T> event, T data, @Nullable String room) {
        ClientFuture<Void> result = callbacks.newFuture();
        if (result.isDone()) {
            callbacks.untold().skipReport();
            return result;
        }
        Outgoing message;
        try {
            message = Outgoing.of(event.name())
                    .room(room)
                    .data(data, callbacks.payloads().of(event.type()));
        } catch (PayloadException unfit) {
            result.completeExceptionally(unfit);
            return result;
        }
        Outbox.OutboxEntry entry = entry(event.name(), room, null, message, result);
        if (event.isEphemeral()) {
            postEphemeral(entry);
        } else {
            sendReliable(entry, !callbacks.isRunningHere());
            result.onCancel(() -> giveUp(entry));
        }
        return result;
    }

    /**
     * Sends a question; its future fails when it is given up, and nobody else is told.
     *
     * @return has the number 0 when it was refused at once
     */
    Outbox.OutboxEntry ask(String type, String ref, String json, CompletableFuture<Void> fate) {
        return send(type, ref, -1, json, fate, !callbacks.isRunningHere());
    }

    /** Like {@link #ask}, for what answers a question. */
    Outbox.OutboxEntry answer(String type, String ref, long index, String json, CompletableFuture<Void> fate) {
        return send(type, ref, index, json, fate, false);
    }

    private Outbox.OutboxEntry send(
            String type, String ref, long index, String json, CompletableFuture<Void> fate, boolean isAsked) {
        Outgoing message = Outgoing.of(type).ref(ref).index(index).rawData(json);
        Outbox.OutboxEntry entry = entry(type, null, ref, message, fate);
        sendReliable(entry, isAsked);
        return entry;
    }

    private Outbox.OutboxEntry entry(
            String type, @Nullable String room, @Nullable String ref, Outgoing message, CompletableFuture<Void> fate) {
        return new Outbox.OutboxEntry(
                type, room, ref, message, fate, scheduler.nanoTime(), scheduler.currentTimeMillis());
    }

    private void sendReliable(Outbox.OutboxEntry entry, boolean isAsked) {
        if (posted.incrementAndGet() > mostPosted) {
            posted.decrementAndGet();
            drop(entry, ErrorCode.OVERLOADED, "too many messages wait for the client's thread");
            return;
        }
        boolean isPosted = false;
        try {
            report(outbox.add(entry));
            changed();
            if (entry.seq() > 0) { // it was not refused
                scheduler.schedule(Duration.ZERO, () -> {
                    posted.decrementAndGet();
                    if (isAsked) {
                        onAsked.run();
                    }
                    outbox.admit(entry);
                    pumpLater();
                });
                isPosted = true;
            }
        } finally {
            if (!isPosted) {
                posted.decrementAndGet();
                outbox.giveUp(entry); // one that was taken would wait for ever, and all that come later behind it
            }
        }
    }

    /** Returns why a message that has no number was refused. */
    RealtimeException whyRefused(Outbox.OutboxEntry entry) {
        RealtimeException refusal = outbox.refusalOrNull(entry);
        return refusal != null
                ? refusal
                : new RealtimeException(ErrorCode.OVERLOADED, "the outbox is full", true, null);
    }

    /** Returns whether the outbox has room for more than a few messages. */
    boolean hasRoom() {
        return !outbox.isHalfFull();
    }

    /** Returns whether a message may still have to be sent. */
    boolean holds(Outbox.OutboxEntry entry) {
        return outbox.holds(entry);
    }

    private void postEphemeral(Outbox.OutboxEntry entry) {
        if (closed) {
            drop(entry, ErrorCode.CLOSED, "the client is closed");
        } else if (ephemeralPosted.incrementAndGet() > MOST_EPHEMERAL) {
            ephemeralPosted.decrementAndGet();
            drop(entry, ErrorCode.OVERLOADED, "too many ephemeral messages");
        } else {
            boolean isAsked = !callbacks.isRunningHere();
            boolean isPosted = false;
            try {
                scheduler.schedule(Duration.ZERO, () -> {
                    ephemeralPosted.decrementAndGet();
                    if (isAsked) {
                        onAsked.run();
                    }
                    sendEphemeral(entry);
                });
                isPosted = true;
            } finally {
                if (!isPosted) {
                    ephemeralPosted.decrementAndGet();
                }
            }
            if (closed) { // the scheduler may not run it any more; a second outcome changes nothing
                entry.result.completeExceptionally(new RealtimeException(ErrorCode.CLOSED, "the client is closed"));
            }
        }
    }

    /**
     * Gives a message up: it is not sent from now on, and what was sent is not sent again.
     *
     * @return false when it has had another fate
     */
    boolean giveUp(Outbox.OutboxEntry entry) {
        boolean isGivenUp = outbox.giveUp(entry);
        Steps.run(this::changed, progress::post);
        return isGivenUp;
    }

    /** Returns whether a message was ever sent. */
    boolean wasSent(Outbox.OutboxEntry entry) {
        return outbox.wasSent(entry);
    }

    /**
     * Refuses all from now on, and fails what waits. What is in a file stays there, and is not reported; the file is
     * closed when this returns.
     */
    void close() {
        closed = true;
        List<Outbox.Dropped> left = outbox.close();
        if (file == null) {
            report(left);
        } else {
            Steps.each(left, one -> callbacks.fail(one.entry().result, one.cause()));
            file.finish();
        }
    }

    // On the scheduler's thread

    /** Pumps behind whatever else was posted by now. */
    private void pumpLater() {
        if (!pumpPosted) {
            scheduler.schedule(Duration.ZERO, () -> {
                pumpPosted = false;
                pump();
            });
            pumpPosted = true; // not before: a scheduler may throw
        }
    }

    /** The outbox has changed, which the file has to learn. */
    private void changed() {
        if (file != null) {
            file.wake();
        }
    }

    private void sendEphemeral(Outbox.OutboxEntry entry) {
        RealtimeException tooBig = outbox.tooBigOrNull(entry);
        if (entry.result.isCancelled()) {
            return;
        }
        if (open == null) {
            drop(entry, ErrorCode.CONNECTION_LOST, "an ephemeral message is not kept while offline");
        } else if (tooBig != null) {
            report(Collections.singletonList(new Outbox.Dropped(entry, tooBig)));
        } else if (open.isCrowded(outboundBytes) || !open.send(entry.frame())) {
            drop(entry, ErrorCode.OVERLOADED, "the connection is slow");
        } else {
            callbacks.completeVoid(entry.result);
        }
    }

    /**
     * A session is open: sends what the server has not processed, the oldest first.
     *
     * @param serverMillis the server's clock, or 0 when it does not say
     */
    void welcomed(ServerConnection link, long processed, long behind, int messageBytes, long serverMillis) {
        report(outbox.skip(processed));
        outbox.resumed(processed);
        expireByClocks(serverMillis);
        report(outbox.limitMessages(messageBytes));
        changed();
        open = link;
        acknowledged(processed, behind);
        pump();
    }

    /** Returns whether what an earlier process left is another user's; before the first {@link #own}. */
    boolean isForeignTo(String user) {
        return file != null && file.isForeignTo(user);
    }

    /** What is here, and what comes, is this user's; with a file nothing leaves before that stands in it. */
    void own(String user, String clientId) {
        if (file != null) {
            report(file.own(user, clientId, all -> Collections.emptyList()));
        }
    }

    /** What is here was another user's, what comes is this one's; there is no connection. */
    void changeUser(String user, String clientId, RealtimeException cause) {
        report(file == null ? outbox.removeAll(cause) : file.own(user, clientId, all -> all.removeAll(cause)));
        onProgress.run();
    }

    /** On the file's writer. */
    private void notStored(List<Outbox.Dropped> dropped) {
        report(dropped);
        if (outbox.isHeld() && retries.compareAndSet(false, true)) { // else it is up to the next change
            boolean isScheduled = false;
            try {
                scheduler.schedule(FILE_RETRY, () -> {
                    retries.set(false);
                    changed();
                });
                isScheduled = true;
            } finally {
                if (!isScheduled) {
                    retries.set(false);
                }
            }
        }
    }

    /** Drops what is too old, by the clocks: what an earlier process left, and what has waited while the machine slept. */
    private void expireByClocks(long serverMillis) {
        long now = scheduler.nanoTime();
        long wall = scheduler.currentTimeMillis();
        long slept = 0;
        if (!wasWelcomed) {
            outbox.ageRestored(now, serverMillis > 0 ? serverMillis : wall);
        } else if (serverMillis > 0 && welcomedAt > 0) {
            long served = TimeUnit.MILLISECONDS.toNanos(Math.max(0, serverMillis - welcomedAt));
            slept = served - (now - welcomedNanos);
        } else {
            slept = Long.MAX_VALUE; // the wall clock alone knows
        }
        outbox.slept(now, wall, slept);
        wasWelcomed = true;
        welcomedAt = serverMillis;
        welcomedNanos = now;
        report(outbox.expire(now));
    }

    void connectionLost() {
        open = null;
        ackSeq = 0;
        outbox.connectionLost();
        expire();
    }

    /**
     * Everything up to a number is processed. What was answered stands in the session's inbox up to an offset, and must be
     * read before: among it may be that a message has failed.
     */
    void acknowledged(long seq, long behind) {
        ackSeq = seq;
        ackBehind = behind;
        settle();
    }

    /** Completes what is acknowledged, once the answers to it are read. */
    void settle() {
        if (ackSeq > 0 && answersRead.getAsLong() >= ackBehind) {
            List<Outbox.OutboxEntry> processed = outbox.acknowledged(ackSeq);
            ackSeq = 0;
            complete(processed);
            changed();
            pump();
        }
    }

    /** The server could not process a message, and will not see it again; false when it is none that waits. */
    boolean failed(long seq, RemoteException failure) {
        Outbox.OutboxEntry failed = outbox.failed(seq);
        if (failed == null) {
            return false;
        }
        if (failed.isRestored()) { // nobody waits for it, and somebody should know
            report(Collections.singletonList(new Outbox.Dropped(failed, failure)));
        } else {
            fail(failed, failure);
        }
        changed();
        pump();
        return true;
    }

    /**
     * The connection is about to end because a message was too big: the longest on its way, most likely.
     *
     * @param longestOther how long a frame was sent that is none of these
     * @return whether it was one of these
     */
    boolean tooBig(CloseReason reason, int longestOther) {
        Outbox.OutboxEntry longest = outbox.longestInflight();
        if (longest == null || longest.wireLength() < longestOther) {
            return false;
        }
        if (outbox.failed(longest.seq()) != null) {
            drop(longest, ErrorCode.TOO_BIG, "too big for the server: " + reason);
            changed();
        }
        return true;
    }

    /** Sends what may be sent now. */
    void pump() {
        while (open != null && !isHeld.getAsBoolean()) {
            int batchBytes = Math.min(BATCH_BYTES, outboundBytes / 2);
            List<Outbox.OutboxEntry> entries =
                    outbox.unsent(open.inflight - asked.getAsInt(), open.inflightBytes, batchBytes);
            List<WireMessage> frames = new ArrayList<>(entries.size());
            for (Outbox.OutboxEntry entry : entries) {
                frames.add(entry.frame());
            }
            if (frames.isEmpty()) {
                break;
            }
            if (!open.send(MessageBatch.of(frames, false))) { // onDrained or onClosed will tell
                outbox.notSent(entries);
                break;
            }
            outbox.sent(entries);
        }
        watchExpiry();
        onProgress.run();
    }

    private void expire() {
        stopExpiry();
        report(outbox.expire(scheduler.nanoTime()));
        changed();
        watchExpiry();
        onProgress.run();
    }

    private void watchExpiry() {
        Duration until = expiry == null && !closed ? outbox.untilExpiry(scheduler.nanoTime()) : null;
        if (until != null) {
            expiry = scheduler.schedule(until, this::expire);
        }
    }

    /** Nothing is sent any more. */
    void stop() {
        stopExpiry();
    }

    private void stopExpiry() {
        if (expiry != null) {
            expiry.cancel();
            expiry = null;
        }
    }

    private void complete(List<Outbox.OutboxEntry> processed) {
        for (Outbox.OutboxEntry entry : processed) {
            callbacks.completeVoid(entry.result);
        }
    }

    private void report(List<Outbox.Dropped> dropped) {
        for (Outbox.Dropped one : dropped) {
            if (one.entry().ref == null) {
                callbacks.dropped(one.entry().result, one.message(callbacks.payloads()));
            } else { // whoever asked is told by the question
                fail(one.entry(), one.cause());
            }
        }
    }

    /** The future of a question or an answer is the client's own: {@link ClientCalls} hears at once that it is to act. */
    private void fail(Outbox.OutboxEntry entry, RealtimeException cause) {
        if (entry.ref == null) {
            callbacks.fail(entry.result, cause);
        } else {
            entry.result.completeExceptionally(cause);
        }
    }

    private void drop(Outbox.OutboxEntry entry, ErrorCode code, String why) {
        boolean retryable = code.equals(ErrorCode.OVERLOADED) || code.equals(ErrorCode.CONNECTION_LOST);
        RealtimeException cause = new RealtimeException(code, why, retryable, null);
        report(Collections.singletonList(new Outbox.Dropped(entry, cause)));
    }
}
