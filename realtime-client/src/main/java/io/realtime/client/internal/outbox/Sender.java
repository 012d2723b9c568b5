package io.realtime.client.internal.outbox;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.client.OutboxLimits;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.ClientFuture;
import io.realtime.client.internal.callback.CoalescedTask;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Moves the application's messages to the server. They enter the outbox on any thread. On the scheduler's thread they
 * are sent on the open connection, and leave the outbox when they are acknowledged. That thread owns everything except
 * {@link #send}, {@link #close} and the outbox.
 *
 * <p>A message may be sent after its own task has run on the scheduler's thread, so that it does not overtake a join
 * that was called before it. With a file it must also be on the disk.
 */
public final class Sender {
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
    private final Context context;
    private final Outbox outbox;
    private final OutboxExpiry expiry;
    private final @Nullable OutboxFile file;
    private final int outboundBytes;
    // Messages that wait for the scheduler's thread.
    private final AtomicInteger posted = new AtomicInteger();
    private final long mostPosted;
    private final AtomicInteger ephemeralPosted = new AtomicInteger();
    private final @Nullable Supplier<@Nullable String> traces;
    private final CoalescedTask progress;
    // Whether a timer runs to try the file again.
    private final AtomicBoolean retries = new AtomicBoolean();
    private volatile boolean closed;

    // The fields below are owned by the scheduler's thread.
    private boolean pumpPosted;
    // Acknowledged and not settled yet; 0 for none.
    private long ackSeq;
    private long ackAnswers;
    private @Nullable Uplink open;
    private int mostInflight;
    private long mostInflightBytes;

    /** What the sender must know of the session, and tell it. All calls are on the scheduler's thread. */
    public interface Context {
        /** Returns up to where the session's inbox is read. */
        long answersRead();

        /** Returns how many requests are in flight beside the messages. */
        int requestsInFlight();

        /** Returns true if no message may be sent for now; {@link #pump} is called when that changes. */
        boolean holdsMessages();

        /** Called when messages may have left the outbox. */
        void onProgress();

        /** Called before a message may be sent that the application sent outside its callbacks. */
        void onAsked();
    }

    /**
     * What the server accepts.
     *
     * @param inflight how many messages may be unacknowledged
     * @param inflightBytes how many bytes may be unacknowledged
     * @param messageBytes how long a message may be
     */
    public record ServerLimits(int inflight, long inflightBytes, int messageBytes) {}

    /**
     * @param file keeps the messages too, or null
     * @param outboundBytes how many bytes may wait in a connection
     * @param traces returns the trace context of a message; null for none
     */
    public Sender(
            Scheduler scheduler,
            CallbackDispatcher callbacks,
            OutboxLimits limits,
            @Nullable OutboxFile file,
            int outboundBytes,
            @Nullable Supplier<@Nullable String> traces,
            Context context) {
        this.scheduler = scheduler;
        this.callbacks = callbacks;
        this.context = context;
        this.progress = new CoalescedTask(task -> scheduler.schedule(Duration.ZERO, task), this::progressed);
        this.mostPosted = (long) limits.messages() + MOST_GIVEN_UP;
        this.file = file;
        this.outboundBytes = outboundBytes;
        this.traces = traces;
        this.outbox = new Outbox(limits, file != null, outboundBytes);
        this.expiry = new OutboxExpiry(scheduler, outbox, this::expire);
    }

    /**
     * Takes over the messages that an earlier process left in the file, if there is one.
     *
     * @throws IllegalStateException when the file has served a client before
     */
    public void restore() {
        if (file != null) {
            OutboxFile.Client client = new OutboxFile.Client(
                    outbox, callbacks, () -> scheduler.schedule(Duration.ZERO, this::pump), this::notStored);
            report(file.attach(client, scheduler.nanoTime(), scheduler.currentTimeMillis()));
            report(file, file.takeDamage());
            scheduler.schedule(Duration.ZERO, this::expire);
        }
    }

    private void report(OutboxFile from, OutboxJournal.@Nullable Damage damage) {
        if (damage == null) {
            return;
        }
        for (StoredMessage lost : damage.lost()) {
            RealtimeException cause =
                    new RealtimeException(ErrorCode.STORAGE, "the message was damaged in its file", false, null);
            tell(
                    new CompletableFuture<>(),
                    new UndeliveredMessage(lost.name(), lost.room(), null, callbacks.payloads(), cause));
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
    public long lastSeq() {
        return outbox.lastSeq();
    }

    /** Returns true if every message up to this number has its outcome. */
    public boolean isDone(long seq) {
        return outbox.isDone(seq);
    }

    public <T> CompletableFuture<Void> send(Event<T> event, T data, @Nullable String room) {
        ClientFuture<Void> result = callbacks.newFuture();
        if (result.isDone()) {
            callbacks.outcomes().skipReport();
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
        OutboxEntry entry = entry(event.name(), room, null, message, trace(), result);
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
    public OutboxEntry request(String type, String ref, String json, CompletableFuture<Void> fate) {
        return send(type, ref, -1, json, trace(), fate, !callbacks.isRunningHere());
    }

    /** Like {@link #request}, for an answer to a request. */
    public OutboxEntry answer(String type, String ref, long index, String json, CompletableFuture<Void> fate) {
        return send(type, ref, index, json, null, fate, false);
    }

    private OutboxEntry send(
            String type,
            String ref,
            long index,
            String json,
            @Nullable String trace,
            CompletableFuture<Void> fate,
            boolean isAsked) {
        Outgoing message = Outgoing.of(type).ref(ref).index(index).rawData(json);
        OutboxEntry entry = entry(type, null, ref, message, trace, fate);
        sendReliable(entry, isAsked);
        return entry;
    }

    private OutboxEntry entry(
            String type,
            @Nullable String room,
            @Nullable String ref,
            Outgoing message,
            @Nullable String trace,
            CompletableFuture<Void> fate) {
        return new OutboxEntry(
                type, room, ref, message, trace, fate, scheduler.nanoTime(), scheduler.currentTimeMillis());
    }

    /** Returns the trace context of what the application sends now. A failure is reported, and costs no message. */
    private @Nullable String trace() {
        if (traces == null) {
            return null;
        }
        try {
            String trace = traces.get();
            return trace == null ? null : Names.requireTrace(trace);
        } catch (Throwable failure) {
            // Whatever the application's code throws.
            callbacks.error(failure);
            return null;
        }
    }

    private void sendReliable(OutboxEntry entry, boolean isAsked) {
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
                    boolean isLast = posted.decrementAndGet() == 0;
                    if (isAsked) {
                        context.onAsked();
                    }
                    outbox.admit(entry);
                    if (isLast) {
                        pump();
                    } else {
                        pumpLater();
                    }
                });
                isPosted = true;
            }
        } finally {
            if (!isPosted) {
                posted.decrementAndGet();
                if (entry.seq() > 0) {
                    // It would wait for ever, and so would all later ones.
                    giveUp(entry);
                }
            }
        }
    }

    /** Returns why a message without a number was refused. */
    public RealtimeException whyRefused(OutboxEntry entry) {
        RealtimeException refusal = outbox.refusalOrNull(entry);
        return refusal != null
                ? refusal
                : new RealtimeException(ErrorCode.OVERLOADED, "the outbox is full", true, null);
    }

    /** Returns true if the outbox is less than half full. */
    public boolean hasRoom() {
        return !outbox.isHalfFull();
    }

    /** Returns true if a message may still have to be sent. */
    public boolean holds(OutboxEntry entry) {
        return outbox.holds(entry);
    }

    private void postEphemeral(OutboxEntry entry) {
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
                        context.onAsked();
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
    public boolean giveUp(OutboxEntry entry) {
        boolean isGivenUp = outbox.giveUp(entry);
        Steps.run(this::changed, progress::post);
        return isGivenUp;
    }

    /** Returns whether a message was ever sent. */
    public boolean wasSent(OutboxEntry entry) {
        return outbox.wasSent(entry);
    }

    /**
     * Closes the sender: refuses all messages from now on, and fails those that wait. Messages in a file stay there and
     * are not reported. The file is closed when this returns.
     */
    public void close() {
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

    /**
     * Pumps after everything that was posted until now; called while more messages wait for this thread. So they leave
     * in one write, and a thread that sends without a break does not keep the others from being sent.
     */
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

    /** Messages may have left the outbox: later ones may be sent. */
    private void progressed() {
        context.onProgress();
        pump();
    }

    private void sendEphemeral(OutboxEntry entry) {
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
    public void welcomed(Uplink connection, ServerLimits limits, long processed, long answers, long serverMillis) {
        report(outbox.skip(processed));
        outbox.resumed(processed);
        report(expiry.welcomed(serverMillis));
        report(outbox.limitMessages(limits.messageBytes()));
        changed();
        open = connection;
        mostInflight = limits.inflight();
        mostInflightBytes = limits.inflightBytes();
        acknowledged(processed, answers);
        pump();
    }

    /**
     * Returns true if the messages that an earlier process left belong to another user. Only before the first {@link
     * #own}.
     */
    public boolean isForeignTo(String user) {
        return file != null && file.isForeignTo(user);
    }

    /**
     * Makes this user the owner of all present and future messages. With a file, none is sent before the file names the
     * user.
     */
    public void own(String user, String clientId) {
        if (file != null) {
            report(file.own(user, clientId, all -> Collections.emptyList()));
        }
    }

    /** Drops all messages of the former user and makes this user the owner of future ones. There is no connection. */
    public void changeUser(String user, String clientId, RealtimeException cause) {
        report(file == null ? outbox.removeAll(cause) : file.own(user, clientId, all -> all.removeAll(cause)));
        context.onProgress();
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

    public void connectionLost() {
        open = null;
        ackSeq = 0;
        outbox.connectionLost();
        expire();
    }

    /**
     * Handles an acknowledgement: everything up to a number is processed. The answers are in the session's inbox up to
     * an offset and must be read before, since one of them may say that a message failed.
     */
    public void acknowledged(long seq, long answers) {
        ackSeq = seq;
        ackAnswers = answers;
        settle();
    }

    /** Completes what is acknowledged, once the answers to it are read. */
    public void settle() {
        if (ackSeq > 0 && context.answersRead() >= ackAnswers) {
            List<OutboxEntry> processed = outbox.acknowledged(ackSeq);
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
    public boolean failed(long seq, RemoteException failure) {
        OutboxEntry failed = outbox.failed(seq);
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
    public boolean tooBig(CloseReason reason, int longestOther) {
        OutboxEntry longest = outbox.longestInflight();
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
    public void pump() {
        while (open != null && !context.holdsMessages()) {
            int batchBytes = Math.min(BATCH_BYTES, outboundBytes / 2);
            List<OutboxEntry> entries =
                    outbox.unsent(mostInflight - context.requestsInFlight(), mostInflightBytes, batchBytes);
            List<WireMessage> frames = new ArrayList<>(entries.size());
            for (OutboxEntry entry : entries) {
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
        expiry.watch();
        context.onProgress();
    }

    private void expire() {
        report(expiry.expire());
        changed();
        expiry.watch();
        context.onProgress();
    }

    /** Stops the timer; nothing is sent any more. */
    public void stop() {
        expiry.stop();
    }

    private void complete(List<OutboxEntry> processed) {
        for (OutboxEntry entry : processed) {
            callbacks.completeVoid(entry.result);
        }
    }

    private void report(List<Outbox.Dropped> dropped) {
        for (Outbox.Dropped one : dropped) {
            if (one.entry().ref == null) {
                tell(one.entry().result, one.message(callbacks.payloads()));
            } else {
                // The request itself reports the failure.
                fail(one.entry(), one.cause());
            }
        }
    }

    private void tell(CompletableFuture<Void> result, UndeliveredMessage message) {
        callbacks.dropped(result, message, message.length());
    }

    /**
     * Fails a message. The future of a request or an answer is the client's own, so it fails on this thread, and the
     * request ends at once.
     */
    private void fail(OutboxEntry entry, RealtimeException cause) {
        if (entry.ref == null) {
            callbacks.fail(entry.result, cause);
        } else {
            entry.result.completeExceptionally(cause);
        }
    }

    private void drop(OutboxEntry entry, ErrorCode code, String why) {
        boolean retryable = code.equals(ErrorCode.OVERLOADED) || code.equals(ErrorCode.CONNECTION_LOST);
        RealtimeException cause = new RealtimeException(code, why, retryable, null);
        report(Collections.singletonList(new Outbox.Dropped(entry, cause)));
    }
}
