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
 * A question that is answered by a stream. Items go to the listener on the executor, and the producer may send more as
 * the listener returns.
 */
public final class StreamCall<T> implements Questions.Question {
    /** How many items may be on their way; as many are taken without being asked for. */
    public static final int WINDOW = 64;

    /** So many characters of them: a producer sends no further item while as many are not handled. */
    public static final int WINDOW_LENGTH = 256 * 1024;

    private final StreamListener<? super T> listener;
    private final Payload items;
    private final Executor executor;
    private final LongConsumer credit;
    private final Runnable cancel;
    private final Consumer<Throwable> failures;
    private final AtomicBoolean over = new AtomicBoolean();

    // With the frames, one at a time.
    private long arrived;
    private volatile boolean ended; // nothing more comes; on any thread

    // On the executor; what was granted is read with the frames too.
    private long handed;
    private long handedLength; // since credit was given
    private volatile long granted = WINDOW;

    /**
     * A question that is not asked yet.
     *
     * @param credit says to the producer how many items are taken in all
     * @param cancel forgets the question, and tells the producer
     * @param failures told when the listener fails at an end, or behind one, which it cannot be told itself
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

    /** Has nothing more reach the listener, and the producer stop. Does nothing when the stream is over. */
    public void cancel() {
        if (over.compareAndSet(false, true)) {
            cancel.run();
        }
    }

    /** Returns how many items are taken in all. */
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
            if (!stop(failure)) { // the listener had cancelled, and hears nothing more
                failures.accept(failure);
            }
            return;
        }
        handed++;
        handedLength += item.length();
        boolean isDue = granted - handed <= WINDOW / 2 || handedLength >= WINDOW_LENGTH / 2;
        if (!ended && isDue) { // else the producer has no use for credit
            granted = handed + WINDOW;
            handedLength = 0;
            if (!over.get()) {
                credit.accept(granted);
            }
        }
    }

    /** Returns whether that is the end, and not another that came before. */
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
