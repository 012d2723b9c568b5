package io.realtime.examples.simulation;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.Subscription;
import io.realtime.testing.SimulatedProcess;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BiFunction;
import java.util.function.Function;
import java.util.function.IntSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One process that asks another and is asked, by requests and streams: whatever breaks, each question ends once, with what
 * was asked for or with a reason that was there; and a stream brings every item up to where it ends.
 */
final class Asking {
    static final Request<Integer, Integer> NEXT = Request.of("next", Integer.class, Integer.class);
    static final StreamRequest<Integer, Integer> COUNT = StreamRequest.of("count", Integer.class, Integer.class);
    private static final ErrorCode UNLUCKY = ErrorCode.of("unlucky");
    private static final int MOST_ITEMS = 150;
    private static final Duration LATEST = Duration.ofSeconds(10); // a busy client's callbacks run

    private final Simulation simulation;
    private final Random random;
    private final String name;
    final SimulatedProcess life;
    private final IntSupplier losses;
    private final Set<String> open = new LinkedHashSet<>();
    private final Set<Integer> handled = new HashSet<>();
    private int asked;

    /** @param losses how often the session was lost so far, or the client closed */
    Asking(Simulation simulation, String name, SimulatedProcess life, IntSupplier losses) {
        this.simulation = simulation;
        this.random = simulation.random;
        this.name = name;
        this.life = life;
        this.losses = losses;
    }

    // ---- answering

    /** Answers a request, sooner or later; the number names it, and is asked once. */
    CompletableFuture<Integer> next(int number) {
        if (!handled.add(number)) {
            simulation.history.broken(name + " was asked for what follows " + number + " twice");
        }
        CompletableFuture<Integer> answer = new CompletableFuture<>();
        life.schedule(Duration.ofMillis(random.nextInt(4) == 0 ? random.nextInt(5_000) : 0), () -> {
            if (isUnlucky(number)) {
                answer.completeExceptionally(new RealtimeException(UNLUCKY, "as it happens"));
            } else {
                answer.complete(number + 1);
            }
        });
        return answer;
    }

    private static boolean isUnlucky(int number) {
        return number % 13 == 0;
    }

    /** Counts, with breaks, as the reader has it. */
    void count(int end, StreamSink<Integer> out) {
        int[] next = {0};
        out.onReady(new Runnable() {
            @Override
            public void run() {
                try {
                    while (next[0] < end && out.offer(next[0])) {
                        next[0]++;
                        if (random.nextInt(20) == 0) {
                            life.schedule(Duration.ofMillis(random.nextInt(2_000)), this);
                            return;
                        }
                    }
                } catch (RealtimeException refused) { // by an outbox that is full: the stream has ended
                    return;
                }
                if (next[0] == end) {
                    out.end();
                }
            }
        });
    }

    // ---- asking

    void request(Function<Integer, CompletableFuture<Integer>> ask, int unique) {
        String what = name + " asks for what follows " + unique;
        int lossesBefore = losses.getAsInt();
        open.add(what);
        CompletableFuture<Void> unused = ask.apply(unique).handle((answer, failure) -> {
            if (!life.isAlive()) {
                return null;
            }
            open.remove(what);
            String code = failure == null ? "" : code(failure);
            if (failure == null ? answer != unique + 1 || isUnlucky(unique) : !isReason(code, lossesBefore, unique)) {
                simulation.history.broken(what + ": " + answer + ", " + failure);
            }
            return null;
        });
    }

    private boolean isReason(String code, int lossesBefore, int number) {
        return switch (code) {
            case "unlucky" -> isUnlucky(number);
            case "connection_lost", "closed", "cancelled" ->
                losses.getAsInt() == Integer.MAX_VALUE || losses.getAsInt() > lossesBefore;
            case "user_changed" -> simulation.setup.switches();
            case "timeout" -> true;
            case "overloaded" -> simulation.setup.outboxMessages() < 1_000;
            default -> false;
        };
    }

    private static String code(Throwable failure) {
        Throwable cause =
                failure instanceof CompletionException && failure.getCause() != null ? failure.getCause() : failure;
        return cause instanceof RealtimeException known ? known.code().value() : String.valueOf(cause);
    }

    void stream(BiFunction<Integer, StreamListener<Integer>, Subscription> ask) {
        int end = random.nextInt(MOST_ITEMS);
        Reader reader = new Reader(name + " has stream " + ++asked + " count to " + end, end, losses.getAsInt());
        open.add(reader.what);
        simulation.trace(reader.what);
        reader.subscription = ask.apply(end, reader);
    }

    /** Reads, and sometimes has had enough. */
    private final class Reader implements StreamListener<Integer> {
        final String what;
        private final int end;
        private final int lossesBefore;
        private final int enough;
        private int next;
        private boolean isOver;

        @Nullable
        Subscription subscription;

        Reader(String what, int end, int lossesBefore) {
            this.what = what;
            this.end = end;
            this.lossesBefore = lossesBefore;
            this.enough = random.nextInt(4) == 0 ? random.nextInt(MOST_ITEMS) : MOST_ITEMS;
        }

        private void over() {
            if (life.isAlive()) {
                if (isOver) {
                    simulation.history.broken(what + ": ended twice");
                }
                isOver = true;
                open.remove(what);
            }
        }

        @Override
        public void onItem(Integer item) {
            if (isOver || item != next) {
                simulation.history.broken(
                        what + ": " + item + " came instead of " + next + (isOver ? " and late" : ""));
            }
            next++;
            simulation.trace(what + ": " + item);
            Subscription mine = subscription;
            if (next > enough && mine != null) {
                over();
                mine.close();
            }
        }

        @Override
        public void onEnd() {
            over();
            if (next != end) {
                simulation.history.broken(what + ": ended at " + next);
            }
        }

        @Override
        public void onError(Throwable failure) {
            over();
            String code = code(failure);
            life.schedule(
                    LATEST,
                    () -> { // a listener on threads of its own may hear before the client's does
                        if (code.equals("timeout") || !isReason(code, lossesBefore, 1)) {
                            simulation.history.broken(what + ": " + failure);
                        }
                    });
        }
    }

    /** After everything had time to end. */
    void requireSettled() {
        if (life.isAlive() && !open.isEmpty()) {
            simulation.history.broken(
                    open.size() + " requests are open: " + open.iterator().next());
        }
    }
}
