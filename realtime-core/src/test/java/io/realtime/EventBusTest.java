package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.ref.WeakReference;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

class EventBusTest {
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final Event<String> OTHER = Event.of("other", String.class);

    private final List<String> calls = new ArrayList<>();
    private final List<Throwable> failures = new ArrayList<>();
    private final EventBus bus = new EventBus((event, failure) -> failures.add(failure));

    private static Message<String> message(String text) {
        return new Message<>(text, null, null, null, Instant.EPOCH, false);
    }

    /** A test that expects failures takes them out; whatever is left was swallowed. */
    @AfterEach
    void noFailureIsLeft() {
        assertEquals(List.of(), failures);
    }

    @Test
    void handlersRunInOrderOfTheirRegistrationOnCallersThread() {
        var thread = new AtomicReference<Thread>();
        bus.subscribe(SAID, m -> calls.add("1 " + m.data()));
        bus.subscribe(SAID, m -> calls.add("2 " + m.data()));
        bus.subscribe(SAID, m -> thread.set(Thread.currentThread()));

        assertEquals(3, bus.publish(SAID, message("hi")));
        assertEquals(List.of("1 hi", "2 hi"), calls);
        assertSame(Thread.currentThread(), thread.get());
    }

    @Test
    void onlyHandlersOfTheEventAreCalled() {
        bus.subscribe(SAID, m -> calls.add(m.data()));
        assertEquals(0, bus.publish(OTHER, message("hi")));
        assertEquals(List.of(), calls);
    }

    @Test
    void anyTakesItsTurnByRegistration() {
        bus.subscribe(SAID, m -> calls.add("first"));
        bus.any((event, m) -> calls.add("any " + event.name() + " " + m.data()));
        bus.subscribe(SAID, m -> calls.add("last"));

        assertEquals(3, bus.publish(SAID, message("hi")));
        assertEquals(1, bus.publish(OTHER, message("ho")));
        assertEquals(List.of("first", "any said hi", "last", "any other ho"), calls);
    }

    @Test
    void onceIsCalledOnce() {
        bus.once(SAID, m -> calls.add(m.data()));
        assertEquals(1, bus.publish(SAID, message("a")));
        assertEquals(0, bus.publish(SAID, message("b")));
        assertEquals(List.of("a"), calls);
    }

    @Test
    void onceIsCalledOnceEvenWhenItPublishesItself() {
        bus.once(SAID, m -> {
            calls.add(m.data());
            bus.publish(SAID, message("again"));
        });
        bus.publish(SAID, message("a"));
        assertEquals(List.of("a"), calls);
    }

    @Test
    void onceThatWasClosedIsNotCalled() {
        bus.once(SAID, m -> calls.add(m.data())).close();
        assertEquals(0, bus.publish(SAID, message("a")));
        assertEquals(List.of(), calls);
    }

    @Test
    void onceIsCalledByOneOfTwoPublishers() {
        bus.any((event, m) -> {
            if (m.data().equals("outer")) {
                assertEquals(
                        2, bus.publish(SAID, message("inner"))); // any and once, while the outer has not come to once
            }
        });
        bus.once(SAID, m -> calls.add(m.data()));
        assertEquals(1, bus.publish(SAID, message("outer")));
        assertEquals(List.of("inner"), calls);
    }

    @Test
    @Timeout(60)
    void closedHandlersAreReleased() {
        List<WeakReference<Object>> handlers = List.of(
                registered(handler -> bus.subscribe(SAID, handler).close()),
                registered(handler -> bus.once(SAID, handler).close()),
                registered(handler ->
                        bus.any((event, m) -> handler.accept(message("any"))).close()),
                registered(handler -> {
                    bus.once(SAID, handler);
                    assertEquals(1, bus.publish(SAID, message("a")));
                }));
        while (handlers.stream().anyMatch(handler -> handler.get() != null)) {
            System.gc(); // fails by the time limit when a handler is still held
        }
        assertEquals(List.of("a"), calls);
    }

    private WeakReference<Object> registered(Consumer<Consumer<Message<String>>> how) {
        Object held = new Object();
        how.accept(m -> calls.add(held.hashCode() == 0 ? "" : m.data()));
        return new WeakReference<>(held);
    }

    @Test
    void closedHandlersAreNotCalled() {
        bus.subscribe(SAID, m -> calls.add("closed")).close();
        assertEquals(0, bus.publish(SAID, message("b")));
    }

    @Test
    void throwingHandlerHarmsNoOtherAndIsReportedOnce() {
        var exception = new IllegalStateException("broken");
        var error = new StackOverflowError("deep");
        var events = new ArrayList<Event<?>>();
        var reporting = new EventBus((event, failure) -> {
            events.add(event);
            failures.add(failure);
        });
        reporting.subscribe(SAID, m -> {
            throw exception;
        });
        reporting.any((event, m) -> {
            throw error;
        });
        reporting.subscribe(SAID, m -> calls.add(m.data()));

        assertEquals(3, reporting.publish(SAID, message("hi")));
        assertEquals(List.of("hi"), calls);
        assertEquals(List.of(exception, error), failures);
        assertEquals(List.of(SAID, SAID), events);
        failures.clear();
    }

    @Test
    void handlerThatThrewIsCalledAgain() {
        bus.subscribe(SAID, m -> {
            calls.add(m.data());
            throw new IllegalStateException("broken");
        });
        bus.publish(SAID, message("a"));
        bus.publish(SAID, message("b"));
        assertEquals(List.of("a", "b"), calls);
        assertEquals(2, failures.size());
        failures.clear();
    }

    @Test
    void subscriptionMadeDuringPublishSeesTheNextMessage() {
        bus.once(SAID, m -> bus.subscribe(SAID, later -> calls.add(later.data())));
        bus.publish(SAID, message("a"));
        assertEquals(List.of(), calls);
        bus.publish(SAID, message("b"));
        assertEquals(List.of("b"), calls);
    }

    @Test
    void anyMadeDuringPublishSeesTheNextMessage() {
        bus.once(SAID, m -> bus.any((event, later) -> calls.add(String.valueOf(later.data()))));
        bus.publish(SAID, message("a"));
        assertEquals(List.of(), calls);
        bus.publish(SAID, message("b"));
        assertEquals(List.of("b"), calls);
    }

    @Test
    void handlerClosedDuringPublishIsNotCalledForThatMessage() {
        var later = new ArrayList<Subscription>();
        bus.subscribe(SAID, m -> later.forEach(Subscription::close));
        later.add(bus.subscribe(SAID, m -> calls.add("handler")));
        later.add(bus.any((event, m) -> calls.add("any")));

        assertEquals(1, bus.publish(SAID, message("a")));
        assertEquals(List.of(), calls);
    }

    @Test
    void handlerMayCloseItself() {
        var own = new ArrayList<Subscription>();
        own.add(bus.subscribe(SAID, m -> {
            calls.add(m.data());
            own.get(0).close();
        }));
        bus.subscribe(SAID, m -> calls.add("next " + m.data()));
        bus.publish(SAID, message("a"));
        bus.publish(SAID, message("b"));
        assertEquals(List.of("a", "next a", "next b"), calls);
    }

    @Test
    void closingTwiceDoesNothing() {
        Subscription first = bus.subscribe(SAID, m -> calls.add("1"));
        bus.subscribe(SAID, m -> calls.add("2"));
        first.close();
        first.close();
        assertEquals(1, bus.publish(SAID, message("a")));
        assertEquals(List.of("2"), calls);
    }

    @Test
    void nameWithSecondTypeIsRefused() {
        bus.subscribe(SAID, m -> calls.add(m.data()));
        Event<Integer> impostor = Event.of("said", Integer.class);
        Event<String> ephemeral = Event.ephemeral("said", String.class);

        var refused = assertThrows(IllegalArgumentException.class, () -> bus.subscribe(impostor, m -> {}));
        assertEquals(impostor + " has the name of " + SAID, refused.getMessage());
        assertThrows(IllegalArgumentException.class, () -> bus.once(ephemeral, m -> {}));
        assertThrows(
                IllegalArgumentException.class,
                () -> bus.publish(impostor, new Message<>(1, null, null, null, Instant.EPOCH, false)));
        assertEquals(1, bus.publish(SAID, message("still")));
        assertEquals(List.of("still"), calls);
    }

    @Test
    void eventOfANameIsKnownOnceSubscribed() {
        assertNull(bus.event("said"));
        bus.subscribe(SAID, m -> {});
        assertSame(SAID, bus.event("said"));
        assertNull(bus.event("other"));
    }

    @Test
    @Timeout(60)
    void noMessageIsLostToHandlersThatComeAndGo() throws Exception {
        var seen = new AtomicInteger();
        bus.subscribe(SAID, m -> seen.incrementAndGet());
        ExecutorService pool = Executors.newFixedThreadPool(2);
        try {
            Future<?> churn = pool.submit(() -> {
                for (int i = 0; i < 2_000; i++) {
                    bus.any((event, m) -> {}).close();
                    bus.subscribe(SAID, m -> {}).close();
                }
            });
            Future<?> publish = pool.submit(() -> {
                for (int i = 0; i < 2_000; i++) {
                    bus.publish(SAID, message("x"));
                }
            });
            churn.get();
            publish.get();
        } finally {
            pool.shutdownNow();
        }
        assertEquals(2_000, seen.get());
        assertTrue(bus.publish(SAID, message("x")) == 1, "handlers that were closed are gone");
    }
}
