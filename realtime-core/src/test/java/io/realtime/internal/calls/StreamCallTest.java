package io.realtime.internal.calls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.StreamListener;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Json;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

class StreamCallTest {
    private final List<Integer> items = new ArrayList<>();
    private final List<Throwable> ends = new ArrayList<>(); // complete for a good one
    private final List<Long> credit = new ArrayList<>();
    private final List<Throwable> failures = new ArrayList<>();
    private final ArrayDeque<Runnable> tasks = new ArrayDeque<>();
    private int cancels;
    private Consumer<Integer> onItem = item -> {};
    private Runnable onEnd = () -> {};

    private final Throwable complete = new Throwable("complete");

    private final StreamCall<Integer> call = new StreamCall<>(
            new StreamListener<Integer>() {
                @Override
                public void onItem(Integer item) {
                    items.add(item);
                    onItem.accept(item);
                }

                @Override
                public void onEnd() {
                    ends.add(complete);
                    onEnd.run();
                }

                @Override
                public void onError(Throwable failure) {
                    ends.add(failure);
                    onEnd.run();
                }
            },
            Json.payload(Integer.class),
            tasks::add,
            credit::add,
            () -> cancels++,
            failures::add);

    private static Envelope next(long index, String json) {
        return Envelope.parse(Outgoing.of(Protocol.NEXT)
                .ref("q")
                .index(index)
                .rawData(json)
                .frame()
                .asText());
    }

    private void arrive(int from, int to) {
        for (int i = from; i < to; i++) {
            call.item(next(i, String.valueOf(i)));
        }
    }

    private void end(long count) {
        call.end(Envelope.parse(
                Outgoing.of(Protocol.END).ref("q").index(count).frame().asText()));
    }

    private void run() {
        while (!tasks.isEmpty()) {
            tasks.remove().run();
        }
    }

    private ErrorCode failure() {
        assertEquals(1, ends.size(), ends.toString());
        if (ends.get(0) instanceof RealtimeException known) {
            return known.code();
        }
        throw new AssertionError(ends.get(0));
    }

    @Test
    void itemsAndTheEndReachTheListenerInOrder() {
        arrive(0, 3);
        end(3);
        assertEquals(List.of(), items, "on the executor alone");
        run();
        assertEquals(List.of(0, 1, 2), items);
        assertEquals(List.of(complete), ends);
        assertEquals(0, cancels);
        assertEquals(List.of(), credit);
    }

    @Test
    void noCreditIsGivenOnceTheEndHasArrived() {
        arrive(0, 40);
        end(40);
        run();
        assertEquals(40, items.size());
        assertEquals(List.of(), credit);
    }

    @Test
    void noCreditIsGivenOnceTheStreamHasFailed() {
        arrive(0, 40);
        call.failed(new RealtimeException(ErrorCode.INTERNAL, "the stream failed"));
        run();
        assertEquals(40, items.size());
        assertEquals(List.of(), credit);
    }

    @Test
    void emptyStreamCompletes() {
        end(0);
        run();
        assertEquals(List.of(complete), ends);
    }

    @Test
    void creditIsGrantedAfterHalfAWindow() {
        arrive(0, 64);
        onItem = item -> {
            if (item == 31) {
                assertEquals(List.of(), credit, "not before it has returned");
            }
        };
        for (int i = 0; i < 31; i++) {
            tasks.remove().run();
        }
        assertEquals(List.of(), credit);
        assertEquals(64, call.granted());
        tasks.remove().run();
        assertEquals(List.of(96L), credit);
        assertEquals(96, call.granted());
        run();
        assertEquals(List.of(96L, 128L), credit);
    }

    @Test
    void creditIsGivenForQuarterOfMillionCharactersAtLatest() {
        String padding = " ".repeat(StreamCall.WINDOW_LENGTH / 6);
        for (int i = 0; i < 7; i++) {
            call.item(next(i, i + padding));
        }
        run();
        assertEquals(List.of(3L + StreamCall.WINDOW, 6L + StreamCall.WINDOW), credit);
        assertEquals(6L + StreamCall.WINDOW, call.granted());
    }

    @Test
    void itemBeyondTheCreditEndsTheStreamAndCancelsIt() {
        arrive(0, 64);
        assertEquals(0, cancels);
        arrive(64, 65);
        assertEquals(1, cancels);
        run();
        assertEquals(ErrorCode.OVERLOADED, failure());
        assertEquals(List.of(), items, "nothing more comes");
        assertEquals(List.of(), credit);
    }

    @Test
    void gapBetweenItemsEndsTheStreamAndCancelsIt() {
        arrive(0, 2);
        run();
        arrive(3, 4);
        assertEquals(1, cancels);
        arrive(2, 6);
        run();
        assertEquals(ErrorCode.CONNECTION_LOST, failure());
        assertEquals(List.of(0, 1), items);
        assertEquals(1, cancels);
    }

    @Test
    void itemThatComesTwiceOrWithoutANumberEndsTheStream() {
        arrive(0, 1);
        call.item(Envelope.parse("{\"type\":\"$next\",\"ref\":\"q\",\"data\":1}"));
        run();
        assertEquals(ErrorCode.CONNECTION_LOST, failure());
        assertEquals(1, cancels);
    }

    @Test
    void endWithWrongCountFails() {
        arrive(0, 2);
        end(3);
        run();
        assertEquals(List.of(0, 1), items);
        assertEquals(ErrorCode.CONNECTION_LOST, failure());
    }

    @Test
    void listenerThatThrowsEndsTheStreamAndHearsWhatItThrew() {
        AssertionError thrown = new AssertionError("unexpected");
        onItem = item -> {
            throw thrown;
        };
        arrive(0, 3);
        run();
        assertEquals(List.of(0), items);
        assertSame(thrown, ends.get(0));
        assertEquals(1, ends.size());
        assertEquals(1, cancels);
        assertEquals(List.of(), failures);
    }

    @Test
    void itemThatDoesNotFitEndsTheStream() {
        call.item(next(0, "\"word\""));
        call.item(next(1, "1"));
        run();
        assertTrue(ends.get(0) instanceof PayloadException, ends.toString());
        assertEquals(1, ends.size());
        assertEquals(List.of(), items);
        assertEquals(1, cancels);
    }

    @Test
    void itemIsNeverNull() {
        call.item(next(0, "null"));
        run();
        assertEquals(ErrorCode.BAD_DATA, failure());
        assertEquals(List.of(), items);
    }

    @Test
    void whatAListenerThrowsAtTheEndIsReported() {
        IllegalStateException thrown = new IllegalStateException("at the end");
        onEnd = () -> {
            throw thrown;
        };
        end(0);
        run();
        assertEquals(List.of(thrown), failures);
        assertEquals(1, ends.size());
    }

    @Test
    void whatAListenerThrowsAfterItHasCancelledIsReported() {
        IllegalStateException thrown = new IllegalStateException("cancelled, and then this");
        onItem = item -> {
            call.cancel();
            throw thrown;
        };
        arrive(0, 2);
        run();
        assertEquals(List.of(thrown), failures);
        assertEquals(List.of(), ends);
    }

    @Test
    void nothingReachesTheListenerAfterItHasCancelled() {
        arrive(0, 2);
        end(2);
        onItem = item -> call.cancel();
        run();
        assertEquals(List.of(0), items);
        assertEquals(List.of(), ends);
        assertEquals(1, cancels);
        call.cancel();
        call.failed(new RealtimeException(ErrorCode.CLOSED, "late"));
        run();
        assertEquals(List.of(), ends);
        assertEquals(1, cancels);
    }

    @Test
    void listenerThatCancelsAsksForNoMore() {
        onItem = item -> {
            if (item == 31) {
                call.cancel();
            }
        };
        arrive(0, 64);
        run();
        assertEquals(List.of(), credit);
        assertEquals(32, items.size());
    }

    @Test
    void errorEndsTheStreamAfterTheItemsBeforeIt() {
        arrive(0, 2);
        call.failed(new RealtimeException(ErrorCode.FORBIDDEN, "no"));
        call.cancel();
        assertEquals(1, cancels);
        run();
        assertEquals(List.of(), ends, "it was cancelled before");

        assertEquals(List.of(), items);
    }

    @Test
    void onlyTheFirstEndCounts() {
        arrive(0, 1);
        call.failed(new RealtimeException(ErrorCode.FORBIDDEN, "no"));
        call.failed(new RealtimeException(ErrorCode.CLOSED, "late"));
        end(1);
        run();
        assertEquals(List.of(0), items);
        assertEquals(ErrorCode.FORBIDDEN, failure());
        call.cancel();
        assertEquals(0, cancels, "there is nothing to cancel");
    }

    @Test
    void replyFrameForStreamFails() {
        call.reply(Envelope.parse("{\"type\":\"$reply\",\"ref\":\"q\",\"data\":1}"));
        run();
        assertEquals(ErrorCode.BAD_MESSAGE, failure());
    }
}
