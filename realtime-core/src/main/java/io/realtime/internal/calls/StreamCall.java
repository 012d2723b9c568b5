package io.realtime.internal.calls;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.StreamListener;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payload;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.LongConsumer;

/**
 * A request that is answered by a stream. The listener gets the items on the executor. When it returns, the producer
 * may send more.
 */
public final class StreamCall<T> implements OpenRequests.AnswerHandler {
    /** How many items may be in flight; also the credit with which a stream begins. */
    public static final int WINDOW = 64;

    /**
     * How many characters of items may be in flight: a producer that has sent as many waits until items are handled.
     */
    public static final int WINDOW_LENGTH = 256 * 1024;

    private final StreamListener<? super T> listener;
    private final Payload items;
    private final Executor executor;
    private final LongConsumer credit;
    private final Runnable cancel;
    private final Consumer<Throwable> failures;
    private final AtomicBoolean over = new AtomicBoolean();

    // Accessed with the frames, one at a time.
    private long arrived;
    private volatile boolean ended; // nothing more arrives; any thread

    // Accessed on the executor; what was granted is also read with the frames.
    private long handed;
    private long handedLength; // since the last credit
    private volatile long granted = WINDOW;

    /**
     * Creates a request that is not sent yet.
     *
     * @param credit tells the producer how many items are accepted in all
     * @param cancel removes the request, and tells the producer
     * @param failures receives what the listener throws in the callback that ends the stream, or after it
     */
    public StreamCall(
            StreamListener<? super T> listener,
            Payload items,
            Executor executor,
            LongConsumer credit,
            Runnable cancel,
            Consumer<Throwable> failures) {
        this.listener = listener;
        this.items = items;
        this.executor = executor;
        this.credit = credit;
        this.cancel = cancel;
        this.failures = failures;
    }

    /**
     * Cancels the stream: nothing more reaches the listener, and the producer stops. Does nothing if the stream is
     * over.
     */
    public void cancel() {
        if (over.compareAndSet(false, true)) {
            cancel.run();
        }
    }

    /** Returns how many items are accepted in all. */
    public long granted() {
        return granted;
    }

    @Override
    public void item(Envelope item) {
        if (item.index() != arrived) {
            stop(lost(item.index()));
            return;
        }
        arrived++;
        if (arrived > granted) {
            stop(new RealtimeException(ErrorCode.OVERLOADED, "the producer sent more than it was asked for"));
        } else {
            executor.execute(() -> hand(item));
        }
    }

    private RealtimeException lost(long index) {
        return new RealtimeException(
                ErrorCode.CONNECTION_LOST,
                "item " + arrived + " did not arrive, but what should follow item " + (index - 1));
    }

    private void hand(Envelope item) {
        if (over.get()) {
            return;
        }
        try {
            T value = item.data(items);
            listener.onItem(value);
        } catch (Throwable failure) { // the application's code, a payload's constructor too
            // The listener had cancelled, so onError does not tell it.
            if (!stop(failure)) {
                failures.accept(failure);
            }
            return;
        }
        handed++;
        handedLength += item.length();
        boolean isDue = granted - handed <= WINDOW / 2 || handedLength >= WINDOW_LENGTH / 2;
        if (!ended && isDue) { // after the end the producer needs no credit
            granted = handed + WINDOW;
            handedLength = 0;
            if (!over.get()) {
                credit.accept(granted);
            }
        }
    }

    /** Ends the stream with a failure; false if it had already ended. */
    private boolean stop(Throwable why) {
        boolean isEnd = over.compareAndSet(false, true);
        if (isEnd) {
            cancel.run();
            executor.execute(() -> tell(() -> listener.onError(why)));
        }
        return isEnd;
    }

    @Override
    public void reply(Envelope reply) {
        failed(new RealtimeException(ErrorCode.BAD_MESSAGE, "a request for a stream was answered by a reply"));
    }

    @Override
    public void end(Envelope end) {
        if (end.index() != arrived) {
            failed(lost(end.index()));
            return;
        }
        ended = true;
        executor.execute(() -> {
            if (over.compareAndSet(false, true)) {
                tell(listener::onEnd);
            }
        });
    }

    @Override
    public void failed(RealtimeException why) {
        ended = true;
        executor.execute(() -> {
            if (over.compareAndSet(false, true)) {
                tell(() -> listener.onError(why));
            }
        });
    }

    private void tell(Runnable call) {
        try {
            call.run();
        } catch (Throwable failure) { // as of every listener
            failures.accept(failure);
        }
    }
}
