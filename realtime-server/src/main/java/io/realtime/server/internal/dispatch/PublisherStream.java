package io.realtime.server.internal.dispatch;

import io.realtime.StreamSink;
import java.util.concurrent.Flow;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * A subscriber that forwards the items of a publisher to a stream. It requests one item when the stream is ready for
 * one. The thread that brings news, from the publisher or the stream, does the next step; one thread at a time.
 */
public final class PublisherStream<T> implements Flow.Subscriber<T> {
    private final StreamSink<T> out;
    private final AtomicInteger news = new AtomicInteger();
    private volatile @Nullable T pending;
    private volatile @Nullable Throwable failure;
    private volatile boolean isComplete;

    // Used only within a step, by one thread at a time.
    private Flow.@Nullable Subscription subscription;
    private boolean isRequested;
    private boolean isOver;

    private PublisherStream(StreamSink<T> out) {
        this.out = out;
    }

    public static <T> void subscribe(Flow.Publisher<? extends T> publisher, StreamSink<T> out) {
        publisher.subscribe(new PublisherStream<T>(out));
    }

    @Override
    public void onSubscribe(Flow.Subscription begun) {
        if (subscription != null) {
            // The rules of Flow forbid a second subscription.
            begun.cancel();
            return;
        }
        subscription = begun;
        out.onReady(this::proceed);
    }

    @Override
    public void onNext(T item) {
        if (pending != null) {
            failure = new IllegalStateException("the publisher published more than was requested");
        } else {
            pending = item;
        }
        proceed();
    }

    @Override
    public void onError(Throwable cause) {
        failure = cause;
        proceed();
    }

    @Override
    public void onComplete() {
        isComplete = true;
        proceed();
    }

    private void proceed() {
        int seen = news.incrementAndGet();
        if (seen == 1) {
            do {
                step();
                seen = news.addAndGet(-seen);
            } while (seen > 0);
        }
    }

    private void step() {
        Flow.Subscription from = subscription;
        if (from == null || isOver) {
            return;
        }
        Throwable cause = failure;
        if (out.isCancelled()) {
            isOver = true;
            from.cancel();
        } else if (cause != null) {
            fail(from, cause);
        } else {
            try {
                carry(from);
            } catch (Throwable unfit) {
                // An item that cannot be sent, or a subscription that violates the rules.
                fail(from, unfit);
            }
        }
    }

    private void fail(Flow.Subscription from, Throwable cause) {
        isOver = true;
        try {
            from.cancel();
        } finally {
            out.fail(cause);
        }
    }

    private void carry(Flow.Subscription from) {
        T item = pending;
        if (item != null) {
            if (!out.offer(item)) {
                // The stream calls proceed when it is ready again.
                return;
            }
            pending = null;
            isRequested = false;
        }
        if (isComplete) {
            isOver = true;
            out.end();
        } else if (!isRequested && out.isReady()) {
            // Otherwise the stream calls proceed when it is ready.
            isRequested = true;
            from.request(1);
        }
    }
}
