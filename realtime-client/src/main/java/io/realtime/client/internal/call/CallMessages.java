package io.realtime.client.internal.call;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.internal.call.CallMessage.Call;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.outbox.OutboxEntry;
import io.realtime.client.internal.outbox.Sender;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Json;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Sends the messages of calls through the outbox. An answer for which the outbox has no room waits. A message is for one
 * user, and is dropped when the user changes. Any thread sends; the answers that wait belong to the scheduler's thread.
 */
final class CallMessages {
    private final Sender sender;
    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;
    private final Runnable onKept;
    // Counts the users: each has another number.
    private final AtomicInteger era = new AtomicInteger();
    // Answers that are about to be added to the late ones.
    private final AtomicInteger dropped = new AtomicInteger();
    private final PendingAnswers late = new PendingAnswers();

    /** @param onKept called when an answer waits, or was dropped */
    CallMessages(Sender sender, CallbackDispatcher callbacks, Scheduler scheduler, Runnable onKept) {
        this.sender = sender;
        this.callbacks = callbacks;
        this.scheduler = scheduler;
        this.onKept = onKept;
    }

    /** Returns a call of the present user. */
    Call call(String ref) {
        return new Call(era.get(), ref);
    }

    /** Returns true if the user has changed: nobody waits for the answer, and it is not for the next user. */
    boolean isGone(Call call) {
        return call.era() != era.get();
    }

    /** Returns true if the caller is still there, so that it misses a message that was dropped for this reason. */
    boolean isWanted(Call call, Throwable why) {
        ErrorCode code = known(why).code();
        return !isGone(call) && !code.equals(ErrorCode.CLOSED) && !code.equals(ErrorCode.USER_CHANGED);
    }

    static RealtimeException known(Throwable failure) {
        return failure instanceof RealtimeException known
                ? known
                : new RealtimeException(ErrorCode.INTERNAL, String.valueOf(failure), false, failure);
    }

    /** Sends a message, which has the number 0 if the outbox refused it. */
    OutboxEntry send(CallMessage message, CompletableFuture<Void> fate) {
        Call call = message.call();
        OutboxEntry entry = sender.answer(message.type(), call.ref(), message.index(), message.json(), fate);
        if (isGone(call)) {
            // If the user changed meanwhile, the emptying of the outbox may have missed the message.
            sender.giveUp(entry);
        }
        return entry;
    }

    void answer(Call call, String type, String json) {
        answer(new CallMessage(call, type, -1, json));
    }

    /** Sends an answer. If the outbox has no room for it, it waits. Throws nothing, since no caller would see it. */
    void answer(CallMessage answer) {
        CompletableFuture<Void> fate = new CompletableFuture<>();
        try {
            OutboxEntry unused = send(answer, fate);
        } catch (Throwable failure) {
            // A failure of the scheduler.
            callbacks.error(failure);
        }
        CompletableFuture<Void> unusedToo = fate.whenComplete((done, failure) -> {
            if (failure != null && isWanted(answer.call(), failure)) {
                notSent(answer, known(failure));
            }
        });
    }

    private void notSent(CallMessage answer, RealtimeException why) {
        if (why.code().equals(ErrorCode.OVERLOADED)) {
            dropped.incrementAndGet();
            try {
                scheduler.schedule(Duration.ZERO, () -> keep(answer));
            } catch (Throwable failure) {
                // A failure of the scheduler.
                dropped.decrementAndGet();
                callbacks.error(failure);
            }
            return;
        }
        callbacks.error(why);
        if (answer.type().equals(Protocol.REPLY) || answer.type().equals(Protocol.END)) {
            // Otherwise the caller would wait for its timeout.
            fail(answer.call(), why);
        }
    }

    private void keep(CallMessage answer) {
        if (!isGone(answer.call()) && !late.add(answer)) {
            String why = "the outbox is full, and so many answers wait for it that one was dropped";
            callbacks.error(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
        }
        dropped.decrementAndGet();
        onKept.run();
    }

    /** Answers a call with an error; what is not for the server is reported to the application. */
    void fail(Call call, Throwable thrown) {
        ErrorData error = ErrorData.refusal(thrown);
        if (error == null) {
            callbacks.error(Steps.unwrap(thrown));
            error = ErrorData.of(ErrorCode.INTERNAL, "the handler failed", false);
        }
        fail(call, error);
    }

    void fail(Call call, ErrorData error) {
        answer(call, Protocol.ERROR, Json.payload(ErrorData.class).write(error));
    }

    /** Returns true if answers wait until the outbox has room. */
    boolean hasLate() {
        return dropped.get() > 0 || !late.isEmpty();
    }

    /** Sends the answers that wait, if the outbox has room again. */
    void sendLate() {
        if (!late.isEmpty() && sender.hasRoom()) {
            late.take().forEach(this::answer);
        }
    }

    /** Drops the answers that wait: nobody waits for them. */
    void dropLate() {
        late.clear();
    }

    /** Begins with another user. */
    void userChanged() {
        era.incrementAndGet();
    }
}
