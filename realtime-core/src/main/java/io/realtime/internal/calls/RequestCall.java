package io.realtime.internal.calls;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payload;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/** A request with one answer, which completes its future on the executor. */
public final class RequestCall<R> implements OpenRequests.AnswerHandler {
    private final CompletableFuture<R> result;
    private final Payload replies;
    private final Executor executor;
    private volatile Scheduler.Cancellable timer = () -> {};

    /** Creates a request that is not sent yet. */
    public RequestCall(CompletableFuture<R> result, Payload replies, Executor executor) {
        this.result = result;
        this.replies = replies;
        this.executor = executor;
    }

    /** Sets the timeout, after which the request ends with {@code timeout} unless it was answered. */
    public void within(Duration timeout, Scheduler scheduler, OpenRequests requests, String ref) {
        timer = scheduler.schedule(
                timeout,
                () -> requests.fail(
                        ref, new RealtimeException(ErrorCode.TIMEOUT, "no answer within " + timeout, true, null)));
        // The request has ended meanwhile, or was refused, so nothing else cancels the timer.
        if (requests.get(ref) == null) {
            timer.cancel();
        }
    }

    @Override
    public void reply(Envelope reply) {
        timer.cancel();
        executor.execute(() -> {
            R answer;
            try {
                answer = reply.data(replies);
            } catch (Throwable unfit) {
                // The constructor of a payload is the application's code and may throw anything.
                result.completeExceptionally(unfit);
                return;
            }
            result.complete(answer);
        });
    }

    @Override
    public void end(Envelope end) {
        failed(new RealtimeException(ErrorCode.BAD_MESSAGE, "a request was answered by a stream"));
    }

    @Override
    public void failed(RealtimeException why) {
        timer.cancel();
        executor.execute(() -> result.completeExceptionally(why));
    }
}
