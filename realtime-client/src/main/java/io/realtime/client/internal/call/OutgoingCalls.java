package io.realtime.client.internal.call;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.ClientFuture;
import io.realtime.client.internal.outbox.Sender;
import io.realtime.internal.calls.OpenRequests;
import io.realtime.internal.calls.OpenRequests.AnswerHandler;
import io.realtime.internal.calls.RequestCall;
import io.realtime.internal.calls.StreamCall;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/**
 * The requests and streams that the client asks the server for. A request goes through the outbox, and its answer comes
 * through the session's inbox. Any thread asks; answers are handled on the scheduler's thread.
 */
public final class OutgoingCalls {
    private final OpenRequests requests;
    private final Sender sender;
    private final CallMessages messages;
    private final CreditReports credit;
    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;

    // The fields below are owned by the scheduler's thread.

    // What the last session will still answer; null once that is read, or if no session was lost.
    private @Nullable LostSession lost;

    /**
     * A session that was lost.
     *
     * @param processed up to which number it had processed messages
     * @param answers the offset in the new inbox up to which the answers to these are
     */
    private record LostSession(long processed, long answers) {}

    OutgoingCalls(
            OpenRequests requests,
            Sender sender,
            CallMessages messages,
            CreditReports credit,
            CallbackDispatcher callbacks,
            Scheduler scheduler) {
        this.requests = requests;
        this.sender = sender;
        this.messages = messages;
        this.credit = credit;
        this.callbacks = callbacks;
        this.scheduler = scheduler;
    }

    // On any thread

    /** Sends a request; the future completes with its answer, and fails after this time. */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        ClientFuture<R> result = callbacks.newFuture();
        if (result.isDone()) {
            return result;
        }
        Executor executor = callbacks.executor();
        RequestCall<R> call = new RequestCall<>(result, callbacks.payloads().of(request.replyType()), executor);
        String json = json(data, callbacks.payloads().of(request.type()), call, executor);
        if (json != null) {
            String ref = requests.newRef();
            send(ref, request.name(), json, call, executor);
            call.within(timeout, scheduler, requests, ref);
            result.onCancel(() -> withdraw(ref, result));
        }
        return result;
    }

    private boolean withdraw(String ref, CompletableFuture<?> result) {
        AnswerHandler request = requests.get(ref);
        if (request == null || !requests.close(ref)) {
            return false;
        }
        result.completeExceptionally(new CancellationException());
        request.failed(new RealtimeException(ErrorCode.CLOSED, "it was cancelled"));
        return true;
    }

    /**
     * Asks for a stream; closing the subscription cancels it.
     *
     * @param executor runs the listener, in order and one call at a time
     * @throws RealtimeException with code {@code overloaded} when too much waits for the callbacks
     */
    public <Q, T> Subscription stream(
            StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener, Executor executor) {
        Objects.requireNonNull(listener, "listener");
        RealtimeException refusal = callbacks.outcomes().refusalOrNull();
        if (refusal != null) {
            throw refusal;
        }
        String ref = requests.newRef();
        StreamCall<T> call = new StreamCall<>(
                listener,
                callbacks.payloads().of(request.itemType()),
                executor,
                upTo -> credit.grant(ref, upTo),
                () -> cancel(ref),
                callbacks::tell);
        String json = json(data, callbacks.payloads().of(request.type()), call, executor);
        if (json != null) {
            send(ref, request.name(), json, call, executor);
            credit.reportSoon();
        }
        return call::cancel;
    }

    /**
     * @param executor on which the failure of the request is reported
     * @return null when the data does not fit; then the request has failed
     */
    private @Nullable String json(@Nullable Object data, Payload by, AnswerHandler request, Executor executor) {
        try {
            return by.write(data);
        } catch (PayloadException unfit) {
            request.failed(unfit);
            callbacks.outcomes().failureWaitsFor(executor);
            return null;
        }
    }

    private void send(String ref, String type, String json, AnswerHandler request, Executor executor) {
        OpenCall call = new OpenCall(request, executor, sender, callbacks, scheduler);
        CompletableFuture<Void> fate = new CompletableFuture<>();
        if (!requests.open(ref, call)) {
            String why = OpenRequests.MOST + " requests are open";
            call.tell(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
            return;
        }
        boolean isSent = false;
        try {
            call.sent(sender.request(type, ref, json, fate));
            isSent = true;
        } finally {
            if (!isSent) {
                // Nothing would ever answer it.
                requests.close(ref);
            }
        }
        if (requests.get(ref) != call) {
            // The request has ended before it had a message to give up.
            call.giveUp();
        }
        CompletableFuture<Void> unused = fate.whenComplete((done, failure) -> {
            if (failure != null) {
                // The message was given up, or refused.
                requests.fail(ref, CallMessages.known(failure));
            }
        });
    }

    private void cancel(String ref) {
        AnswerHandler request = requests.get(ref);
        if (requests.close(ref)) {
            // Otherwise it was refused, or the server has ended it.
            scheduler.schedule(Duration.ZERO, () -> {
                if (!(request instanceof OpenCall call) || !call.giveUp()) {
                    cancelAtServer(ref);
                }
            });
        }
    }

    private void cancelAtServer(String ref) {
        messages.answer(messages.call(ref), Protocol.CANCEL, "null");
    }

    // The server's answers, on the scheduler's thread

    /** Handles an answer. Returns false if it answers none of these requests. */
    public boolean reply(Envelope frame) {
        return requests.reply(frame);
    }

    /** Handles an item of a stream. */
    public void item(Envelope frame) {
        requests.item(frame);
    }

    /** Handles the end of a stream. */
    public void end(Envelope frame) {
        requests.end(frame);
    }

    /** Handles an error. Returns false if it answers none of these requests. */
    public boolean error(Envelope frame, RealtimeException failure) {
        String ref = frame.ref();
        if (ref == null || !(requests.get(ref) instanceof OpenCall call)) {
            return false;
        }
        call.answered();
        boolean isOpen = requests.fail(ref, failure);
        call.waitsFor(frame);
        return isOpen;
    }

    /**
     * Handles the loss of the session, which will not answer any more, except for answers in the new session's inbox.
     *
     * @param processed up to which number messages are processed
     * @param answers the offset in the new inbox up to which the answers to these are
     */
    void sessionLost(long processed, long answers) {
        lost = new LostSession(processed, answers);
    }

    /** Fails the requests that a lost session will not answer, once its last answers are read. */
    void settle(long answersRead) {
        LostSession former = lost;
        if (former != null && answersRead >= former.answers) {
            lost = null;
            failUnanswered(former.processed);
        }
    }

    /** Fails the requests whose answers will not come: their messages are processed up to this number. */
    void failUnanswered(long processed) {
        requests.forEach((ref, request) -> {
            if (request instanceof OpenCall call && !call.isUnanswered(processed)) {
                requests.fail(ref, connectionLost());
                if (call.stream() != null) {
                    // In case the stream still lives.
                    cancelAtServer(ref);
                }
            }
        });
    }

    private static RealtimeException connectionLost() {
        return new RealtimeException(
                ErrorCode.CONNECTION_LOST, "the session was lost before the answer had come", true, null);
    }

    void failAll(RealtimeException why) {
        requests.failAll(why);
    }
}
