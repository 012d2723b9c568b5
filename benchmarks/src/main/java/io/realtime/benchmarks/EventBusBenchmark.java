package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.EventBus;
import io.realtime.Message;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/** The time that the event bus adds to the handlers that it calls. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class EventBusBenchmark {
    private static final Event<String> SAID = Event.of("chat.said", String.class);
    private static final int OTHERS = 50;

    /** How many handlers the event has. */
    @Param({"1", "10"})
    public int handlers = 1;

    private final EventBus named = bus();
    private final EventBus observed = bus();
    private final Message<String> message =
            new Message<>("m".repeat(120), "chat:42", null, "user-1", Instant.EPOCH, false);
    private long heard;

    private static EventBus bus() {
        EventBus bus = new EventBus((event, failure) -> {
            throw new IllegalStateException(event.name(), failure);
        });
        for (int i = 0; i < OTHERS; i++) {
            bus.subscribe(Event.of("other." + i, String.class), other -> {});
        }
        return bus;
    }

    /** Subscribes the handlers. One of the buses also has an observer of all events. */
    @Setup
    public void fill() {
        for (EventBus bus : new EventBus[] {named, observed}) {
            for (int i = 0; i < handlers; i++) {
                bus.subscribe(SAID, received -> heard += received.data().length());
            }
        }
        observed.any((event, received) -> heard++);
    }

    /** Publishes one message to the handlers of its event. */
    @Benchmark
    public int publish() {
        return named.publish(SAID, message);
    }

    /** Publishes one message to these handlers and to a handler of all events. */
    @Benchmark
    public int publishObserved() {
        return observed.publish(SAID, message);
    }
}
