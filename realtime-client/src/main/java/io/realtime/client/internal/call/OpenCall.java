package io.realtime.client.internal.call;

import io.realtime.RealtimeException;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.outbox.OutboxEntry;
import io.realtime.client.internal.outbox.Sender;
import io.realtime.internal.calls.OpenRequests.AnswerHandler;
import io.realtime.internal.calls.StreamCall;
import io.realtime.internal.wire.Envelope;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/** An open request to the server, and the message that carries it. Safe for use by many threads. */
final class OpenCall implements AnswerHandler {
    private final AnswerHandler request;
    // Runs what hands over the answer.
    private final Executor executor;
    private final Sender sender;
    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;
    private volatile @Nullable OutboxEntry entry;
    // Owned by the scheduler's thread. Whether a part of an answer has arrived.
    private boolean isAnswered;

    OpenCall(
            AnswerHandler request,
            Executor executor,
            Sender sender,
            CallbackDispatcher callbacks,
            Scheduler scheduler) {
        this.request = request;
        this.executor = executor;
        this.sender = sender;
        this.callbacks = callbacks;
        this.scheduler = scheduler;
    }

    /** Sets the message, once it is in the outbox. */
    void sent(OutboxEntry message) {
        entry = message;
    }

    /** Returns the stream, or null if this is a request with one answer. */
    @Nullable
    StreamCall<?> stream() {
        return request instanceof StreamCall<?> stream ? stream : null;
    }

    @Override
    public void reply(Envelope reply) {
        answered();
        request.reply(reply);
        waitsFor(reply);
    }

    @Override
    public void item(Envelope item) {
        answered();
        request.item(item);
        waitsFor(item);
    }

    @Override
    public void end(Envelope end) {
        answered();
        request.end(end);
        waitsFor(end);
    }

    /** Counts a frame until the executor has handed it over. */
    void waitsFor(Envelope frame) {
        callbacks.waitsFor(executor, frame.length());
    }

    /**
     * Notes that an answer has arrived. The server has the message, so it is not sent again, even if the next server
     * does not know it.
     */
    void answered() {
        if (!isAnswered) {
            isAnswered = true;
            giveUp();
        }
    }

    @Override
    public void failed(RealtimeException why) {
        tell(why);
        OutboxEntry mine = entry;
        if (mine != null && mine.seq() > 0) {
            // Otherwise it was refused, or its sender gives it up.
            scheduler.schedule(Duration.ZERO, this::giveUp);
        }
    }

    /** Tells the application of a failure. */
    void tell(RealtimeException why) {
        request.failed(why);
        callbacks.outcomes().failureWaitsFor(executor);
    }

    /** Gives the request's message up. Returns true if it was never sent. */
    boolean giveUp() {
        OutboxEntry mine = entry;
        return mine != null && sender.giveUp(mine) && !sender.wasSent(mine);
    }

    /** Returns true if no part of an answer has arrived, and the message is not processed yet, or never will be. */
    boolean isUnanswered(long processed) {
        OutboxEntry mine = entry;
        if (mine == null || mine.seq() == 0) {
            // Another thread is about to send it, or it was refused and told why.
            return true;
        }
        return !isAnswered && mine.seq() > processed && sender.holds(mine);
    }
}
