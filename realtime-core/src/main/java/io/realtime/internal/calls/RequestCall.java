package io.realtime.internal.calls;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payload;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;

/** A question with one answer, which its future gets on the executor. */
public final class RequestCall<R> implements Questions.Question {
    private final CompletableFuture<R> result;
    private final Payload replies;
    private final Executor executor;
    private volatile Scheduler.Cancellable timer = () -> {};

    /** A question that is not asked yet. */
    public RequestCall(CompletableFuture<R> result, Payload replies, Executor executor) {
        this.result = result;
        this.replies = replies;
        this.executor = executor;
    }

    /** Has the question end with {@code timeout} unless it is answered until then. */
    public void within(Duration timeout, Scheduler scheduler, Questions questions, String ref) {
        timer = scheduler.schedule(
                timeout,
                () -> questions.fail(
                        ref, new RealtimeException(ErrorCode.TIMEOUT, "no answer within " + timeout, true, null)));
        if (questions.get(ref) == null) { // it has ended meanwhile, or was refused: nobody else calls the timer off
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
            } catch (Throwable unfit) { // a payload's constructor is the application's: anything may come out of it
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
