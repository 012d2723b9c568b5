package io.realtime.server.internal.dispatch;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.calls.StreamSource;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Json;
import io.realtime.testing.HeldExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Flow;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** A publisher in the test's hands, and the true way of its items. */
class PublisherStreamTest implements StreamSource.Receiver, Flow.Subscription {
    private final HeldExecutor tasks = new HeldExecutor();
    private final StreamSource<Double> out = new StreamSource<>(Json.payload(Double.class), this, tasks);
    private final List<Double> items = new ArrayList<>();
    private final List<String> ends = new ArrayList<>();
    private final List<Throwable> reports = new ArrayList<>();
    private final List<Long> requests = new ArrayList<>();
    private Flow.@Nullable Subscriber<? super Double> subscriber;
    private int cancels;
    private Runnable onRequest = () -> {};
    private boolean refusesItems;

    @Override
    public boolean hasRoom() {
        return true;
    }

    @Override
    public void item(long index, String json) {
        if (refusesItems) {
            throw new RealtimeException(ErrorCode.TOO_BIG, "too big");
        }
        items.add(Double.valueOf(json));
    }

    @Override
    public void over(long count, @Nullable ErrorData error) {
        ends.add(error == null ? "end " + count : error.code());
    }

    @Override
    public void report(Throwable failure) {
        reports.add(failure);
    }

    @Override
    public void request(long n) {
        requests.add(n);
        onRequest.run();
    }

    @Override
    public void cancel() {
        cancels++;
    }

    private void run() {
        tasks.runAll();
    }

    private Flow.Subscriber<? super Double> subscriber() {
        return Objects.requireNonNull(subscriber);
    }

    private void subscribe() {
        PublisherStream.subscribe(
                (Flow.Publisher<Double>) newcomer -> {
                    subscriber = newcomer;
                    newcomer.onSubscribe(this);
                },
                out);
        run();
    }

    private void publish(double item) {
        subscriber().onNext(item);
        run();
    }

    /** Takes the whole window. */
    private void fill() {
        for (int i = 0; i < 64; i++) {
            publish(i);
        }
        assertEquals(64, items.size());
    }

    @Test
    void oneItemAtATimeIsRequested() {
        subscribe();
        assertEquals(List.of(1L), requests);
        run();
        assertEquals(List.of(1L), requests);
        publish(1);
        assertEquals(List.of(1L, 1L), requests);
        assertEquals(List.of(1.0), items);
    }

    @Test
    void nothingIsRequestedWhileTheReceiverTakesNothing() {
        subscribe();
        fill();
        assertEquals(64, requests.size());
        out.granted(65);
        run();
        assertEquals(65, requests.size());
        publish(64);
        assertEquals(65, requests.size());
        assertEquals(65, items.size());
    }

    @Test
    void publisherThatAnswersWithinRequestIsFollowedToItsEnd() {
        double[] next = {0};
        onRequest = () -> {
            if (next[0] < 1_000) {
                subscriber().onNext(next[0]++);
            } else {
                subscriber().onComplete();
            }
        };
        subscribe();
        for (long upTo = 96; items.size() < 1_000; upTo += 32) {
            assertEquals(upTo - 32, items.size());
            out.granted(upTo);
            run();
        }
        out.granted(2_000);
        run();
        assertEquals(List.of("end 1000"), ends);
        assertEquals(999.0, items.get(999));
        assertEquals(0, cancels);
    }

    @Test
    void endWaitsForTheItemBeforeIt() {
        subscribe();
        fill();
        out.granted(65);
        run();
        out.send(-1.0); // by somebody else, who takes the place
        publish(64);
        subscriber().onComplete();
        run();
        assertEquals(List.of(), ends);
        out.granted(66);
        run();
        assertEquals(64.0, items.get(65));
        assertEquals(List.of("end 66"), ends);
    }

    @Test
    void cancelledStreamCancelsTheSubscription() {
        subscribe();
        publish(1);
        out.cancel();
        run();
        assertTrue(cancels > 0);
        int requested = requests.size();
        publish(2); // it was under way
        assertEquals(List.of(1.0), items);
        assertEquals(requested, requests.size());
        assertEquals(List.of("cancelled"), ends);
    }

    @Test
    void publisherThatFailsEndsTheStream() {
        subscribe();
        publish(1);
        IllegalStateException thrown = new IllegalStateException("broken");
        subscriber().onError(thrown);
        run();
        assertEquals(List.of("internal"), ends);
        assertEquals(List.of(thrown), reports);
    }

    @Test
    void publisherThatIgnoresDemandEndsStreamAndIsReportedOnce() {
        subscribe();
        fill();
        publish(64); // the stream takes nothing, and has one to keep
        publish(65);
        publish(66);
        publish(67);
        assertEquals(64, items.size());
        assertEquals(List.of("internal"), ends);
        assertEquals(1, reports.size(), reports.toString());
        assertTrue(cancels > 0);
    }

    @Test
    void itemThatReceiverCannotTakeEndsStreamAndSubscription() {
        subscribe();
        refusesItems = true;
        publish(1);
        assertEquals(List.of("too_big"), ends);
        assertEquals(1, cancels);
        publish(2);
        assertEquals(1, ends.size());
    }

    @Test
    void itemThatCannotBeWrittenEndsStreamAndSubscription() {
        subscribe();
        publish(Double.NaN);
        assertEquals(1, ends.size(), ends.toString());
        assertFalse(ends.get(0).startsWith("end"), ends.toString());
        assertEquals(1, cancels);
        assertEquals(List.of(), items);
    }

    @Test
    void subscriptionThatThrowsEndsTheStream() {
        onRequest = () -> {
            throw new IllegalStateException("broken");
        };
        subscribe();
        assertEquals(List.of("internal"), ends);
        assertEquals(1, reports.size());
    }

    @Test
    void secondSubscriptionIsCancelled() {
        subscribe();
        int[] second = {0};
        subscriber().onSubscribe(new Flow.Subscription() {
            @Override
            public void request(long n) {
                throw new AssertionError("requested of a second subscription");
            }

            @Override
            public void cancel() {
                second[0]++;
            }
        });
        run();
        publish(1);
        assertEquals(1, second[0]);
        assertEquals(0, cancels);
        assertEquals(List.of(1.0), items);
    }
}
