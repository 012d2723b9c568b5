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
 * Moves the application's messages to the server. They enter the outbox on any thread. On the scheduler's thread they
 * are sent on the open connection, and leave the outbox when they are acknowledged. That thread owns everything except
 * {@link #send}, {@link #close} and the outbox.
 *
 * <p>A message may be sent after its own task has run on the scheduler's thread, so that it does not overtake a join
 * that was called before it. With a file it must also be on the disk.
 */
final class Sender {
    private static final int BATCH_BYTES = 64 << 10;

    /**
     * How many messages, in addition to a full outbox, may be between {@link #send} and the scheduler's thread: those
     * that were given up.
     */
    private static final int MOST_GIVEN_UP = 10_000;

    /** How many ephemeral messages may be between {@link #send} and the scheduler's thread. */
    private static final int MOST_EPHEMERAL = 1_000;

    /** The delay before a file that holds all messages back is tried again. */
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
    // Messages that wait for the scheduler's thread.
    private final AtomicInteger posted = new AtomicInteger();
    private final long mostPosted;
    private final AtomicInteger ephemeralPosted = new AtomicInteger();
    private final Once progress;
    // Whether a timer runs to try the file again.
    private final AtomicBoolean retries = new AtomicBoolean();
    private volatile boolean closed;

    // The fields below are owned by the scheduler's thread.
    private boolean pumpPosted;
    // Acknowledged and not settled yet; 0 for none.
    private long ackSeq;
    private long ackBehind;
    private @Nullable ServerConnection open;
    private Scheduler.@Nullable Cancellable expiry;
    private boolean wasWelcomed;
    // The time of the last welcome on the server's clock; 0 when the welcome did not say it.
    private long welcomedAt;
    // The same on the monotonic clock.
    private long welcomedNanos;

    /**
     * @param answersRead returns up to where the session's inbox is read
     * @param asked returns how many requests are in flight beside the messages
     * @param isHeld returns whether no message may be sent for now; {@link #pump} is called when that changes
     * @param onProgress called on the scheduler's thread when messages may have left the outbox
     * @param onAsked called on the scheduler's thread before a message may be sent that the application sent outside
     *     its callbacks
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

    /** Takes over the messages that an earlier process left in the file, if there is one. */
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

    /** Returns true if every message up to this number has its outcome. */
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
     * Sends a request. Its future fails when the request is given up, and nothing else reports it.
     *
     * @return the message, which has the number 0 if it was refused at once
     */
    Outbox.OutboxEntry ask(String type, String ref, String json, CompletableFuture<Void> fate) {
        return send(type, ref, -1, json, fate, !callbacks.isRunningHere());
    }

    /** Like {@link #ask}, for an answer to a request. */
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
            if (entry.seq() > 0) {
                // It was not refused.
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
                // A message that was added would wait for ever, and so would all later ones.
                outbox.giveUp(entry);
            }
        }
    }

    /** Returns why a message without a number was refused. */
    RealtimeException whyRefused(Outbox.OutboxEntry entry) {
        RealtimeException refusal = outbox.refusalOrNull(entry);
        return refusal != null
                ? refusal
                : new RealtimeException(ErrorCode.OVERLOADED, "the outbox is full", true, null);
    }

    /** Returns true if the outbox is less than half full. */
    boolean hasRoom() {
        return !outbox.isHalfFull();
    }

    /** Returns true if a message may still have to be sent. */
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
            if (closed) {
                // The scheduler may not run the task any more; a second outcome changes nothing.
                entry.result.completeExceptionally(new RealtimeException(ErrorCode.CLOSED, "the client is closed"));
            }
        }
    }

    /**
     * Gives a message up: it is not sent, or not sent again.
     *
     * @return false when its outcome is already decided
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
     * Closes the sender: refuses all messages from now on, and fails those that wait. Messages in a file stay there and
     * are not reported. The file is closed when this returns.
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

    /** Pumps after everything that was posted until now. */
    private void pumpLater() {
        if (!pumpPosted) {
            scheduler.schedule(Duration.ZERO, () -> {
                pumpPosted = false;
                pump();
            });
            // Only now, since a scheduler may throw.
            pumpPosted = true;
        }
    }

    /** Wakes the file's writer after a change of the outbox. */
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
     * Handles an open session: sends what the server has not processed, oldest first.
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

    /**
     * Returns true if the messages that an earlier process left belong to another user. Only before the first {@link
     * #own}.
     */
    boolean isForeignTo(String user) {
        return file != null && file.isForeignTo(user);
    }

    /**
     * Makes this user the owner of all present and future messages. With a file, none is sent before the file names the
     * user.
     */
    void own(String user, String clientId) {
        if (file != null) {
            report(file.own(user, clientId, all -> Collections.emptyList()));
        }
    }

    /** Drops all messages of the former user and makes this user the owner of future ones. There is no connection. */
    void changeUser(String user, String clientId, RealtimeException cause) {
        report(file == null ? outbox.removeAll(cause) : file.own(user, clientId, all -> all.removeAll(cause)));
        onProgress.run();
    }

    /** Reports messages that could not be stored; on the file's writer. */
    private void notStored(List<Outbox.Dropped> dropped) {
        report(dropped);
        if (outbox.isHeld() && retries.compareAndSet(false, true)) {
            // If the outbox is not held, the next change tries again.
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

    /**
     * Drops messages that the clocks show as too old: those that an earlier process left, and those that waited while
     * the machine slept.
     */
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
            // Only the wall clock knows.
            slept = Long.MAX_VALUE;
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
     * Handles an acknowledgement: everything up to a number is processed. The answers are in the session's inbox up to
     * an offset and must be read before, since one of them may say that a message failed.
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

    /**
     * Handles the failure of a message at the server, which will not receive it again. Returns false if no such message
     * waits.
     */
    boolean failed(long seq, RemoteException failure) {
        Outbox.OutboxEntry failed = outbox.failed(seq);
        if (failed == null) {
            return false;
        }
        if (failed.isRestored()) {
            // No future waits for it, so it is reported as dropped.
            report(Collections.singletonList(new Outbox.Dropped(failed, failure)));
        } else {
            fail(failed, failure);
        }
        changed();
        pump();
        return true;
    }

    /**
     * Handles a connection that is about to end because a message was too big: most likely the longest in flight.
     *
     * @param longestOther the length of the longest frame that was sent and is not an outbox message
     * @return true if it was an outbox message
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

    /** Sends all messages that may be sent now. */
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
            if (!open.send(MessageBatch.of(frames, false))) {
                // onDrained or onClosed follows.
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

    /** Stops the timer; nothing is sent any more. */
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
            } else {
                // The request itself reports the failure.
                fail(one.entry(), one.cause());
            }
        }
    }

    /**
     * Fails a message. The future of a request or an answer is the client's own, so it fails on this thread, and {@link
     * ClientCalls} reacts at once.
     */
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
