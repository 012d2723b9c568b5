package io.realtime.client.internal.callback;

import io.realtime.Backoff;
import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.Subscription;
import io.realtime.client.Gap;
import io.realtime.client.Reload;
import io.realtime.internal.Steps;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Holds back the messages of rooms with a gap while their {@link Reload} hook runs. Owned by the callback executor,
 * which runs one task at a time. Any thread may call {@link #register} and {@link #close}. Timers and the application's
 * stages only submit tasks.
 */
public final class Reloads {
    /** How much is held of one room. Beyond it all of that is dropped, and the hook runs again to load it. */
    public static final long ROOM_BYTES = 1L << 20;

    /** How much is held of all rooms. Beyond it the same happens to the room whose message does not fit. */
    public static final long ALL_BYTES = 8L << 20;

    /** How long a hook may take to load. After that it has failed, and runs again. */
    static final Duration TIMEOUT = Duration.ofMinutes(1);

    private static final Logger LOG = LoggerFactory.getLogger(Reloads.class);
    private static final Backoff BACKOFF = Backoff.builder()
            .initial(Duration.ofSeconds(1))
            .multiplier(2)
            .cap(Duration.ofSeconds(30))
            .jitter(Backoff.Jitter.NONE)
            .build();

    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;
    private final ConcurrentHashMap<String, Hook> hooks = new ConcurrentHashMap<>();
    private final CoalescedTask removal = new CoalescedTask(this::submit, this::hooksRemoved);
    private volatile boolean closed;

    private final Map<String, Hold> holds = new HashMap<>();
    // Positions up to which a hook has loaded, while messages before them may still arrive.
    private final Map<String, Position> loaded = new HashMap<>();
    private long allBytes;

    Reloads(CallbackDispatcher callbacks, Scheduler scheduler) {
        this.callbacks = callbacks;
        this.scheduler = scheduler;
    }

    /** A registration; registering the same hook again makes another one. */
    private static final class Hook {
        final Reload reload;

        Hook(Reload reload) {
            this.reload = Objects.requireNonNull(reload, "hook");
        }
    }

    /** A room whose hook runs, or waits to run again. */
    private static final class Hold {
        final String room;
        final Hook hook;
        final ArrayDeque<Inbound> held = new ArrayDeque<>();
        long bytes;
        Gap gap;
        // Whether the gap is newer than the run.
        boolean again;
        // Odd while the hook runs.
        long run;
        int attempts;
        Scheduler.@Nullable Cancellable retry;
        Scheduler.Cancellable deadline = Timers.NONE; // Of the run.

        // Up to here messages were dropped since the run began; the next run loads them.
        @Nullable
        Position overflow;

        Hold(String room, Hook hook, Gap gap) {
            this.room = room;
            this.hook = hook;
            this.gap = gap;
        }
    }

    // From any thread

    /** @throws IllegalStateException when the room has a hook */
    Subscription register(String room, Reload reload) {
        Hook hook = new Hook(reload);
        if (hooks.putIfAbsent(room, hook) != null) {
            throw new IllegalStateException("room '" + room + "' has a reload hook already");
        }
        return () -> {
            if (hooks.remove(room, hook)) {
                removal.post();
            }
        };
    }

    /** Ends every hold for good, without handing over what is held. */
    void close() {
        submit(() -> new ArrayList<>(holds.keySet()).forEach(this::left));
        closed = true;
    }

    private void submit(Runnable task) {
        if (!closed) {
            // The executor may be shut down.
            callbacks.execute(task);
        }
    }

    // On the callback executor

    /** Runs the hook of the room, if there is one. If the hook already runs, it runs once more afterwards. */
    void gap(Gap gap) {
        String room = gap.room();
        loaded.remove(room);
        Hold hold = holds.get(room);
        Hook hook = hooks.get(room);
        if (hold != null) {
            // The held messages came before the gap.
            drop(hold);
            if (hold.hook != hook) {
                // Its hook was replaced.
                release(hold);
                hold = null;
            }
        }
        if (hold != null) {
            hold.overflow = null;
            hold.gap = gap;
            hold.again = true;
        } else if (hook != null) {
            hold = new Hold(room, hook, gap);
            holds.put(room, hold);
            run(hold);
        }
    }

    /** Returns true if a message must not be handed over: it is held, dropped, or already loaded. */
    boolean keeps(Inbound message) {
        String room = message.envelope().room();
        Hold hold = room == null ? null : holds.get(room);
        if (room == null || hold == null) {
            return room != null && isLoaded(room, message);
        }
        if (message.epoch() != null && message.envelope().offset() > 0) {
            // An ephemeral message is of use now or never.
            hold(hold, message, new Position(message.epoch(), message.envelope().offset()));
        }
        return true;
    }

    private void hold(Hold hold, Inbound message, Position position) {
        long cost = CallbackDispatcher.cost(message.envelope().length());
        if (hold.overflow == null && hold.bytes + cost <= ROOM_BYTES && allBytes + cost <= ALL_BYTES) {
            hold.held.add(message);
            hold.bytes += cost;
            allBytes += cost;
            return;
        }
        if (hold.overflow == null) {
            LOG.warn("more than can be held back arrived in room '{}' during its reload", hold.room);
        }
        drop(hold);
        // The next run loads this message and all others until it begins.
        hold.overflow = position;
    }

    private boolean isLoaded(String room, Inbound message) {
        Position upTo = loaded.get(room);
        if (upTo == null || message.envelope().offset() == 0) {
            return false;
        }
        if (upTo.epoch().equals(message.epoch()) && message.envelope().offset() <= upTo.offset()) {
            return true;
        }
        // Offsets only rise.
        loaded.remove(room);
        return false;
    }

    /**
     * Handles a new connection: hooks that wait for their next run, perhaps because there was no connection, run now.
     */
    void welcomed() {
        for (Hold hold : new ArrayList<>(holds.values())) {
            retry(hold);
        }
    }

    /** Ends the hold of a room that is not joined any more. */
    void left(String room) {
        loaded.remove(room);
        Hold hold = holds.get(room);
        if (hold != null) {
            end(hold);
            drop(hold);
        }
    }

    /** Releases rooms whose hooks were closed. */
    private void hooksRemoved() {
        for (Hold hold : new ArrayList<>(holds.values())) {
            if (hooks.get(hold.room) != hold.hook) {
                release(hold);
            }
        }
    }

    private void run(Hold hold) {
        if (hooks.get(hold.room) != hold.hook) {
            // It was closed, and what is held will be released.
            return;
        }
        if (hold.overflow != null) {
            hold.gap = overflowed(hold, hold.overflow);
            hold.overflow = null;
        }
        hold.again = false;
        long run = ++hold.run;
        hold.deadline = scheduler.schedule(TIMEOUT, () -> submit(() -> finished(hold, run, null, late(hold))));
        try {
            CompletionStage<@Nullable Position> stage = hold.hook.reload.reload(hold.gap);
            Objects.requireNonNull(stage, "the reload hook of room '" + hold.room + "' gave null");
            Steps.whenComplete(stage, (upTo, failure) -> submit(() -> finished(hold, run, upTo, failure)));
        } catch (Throwable failure) {
            // The application's code may throw anything.
            finished(hold, run, null, failure);
        }
    }

    private void finished(Hold hold, long run, @Nullable Position upTo, @Nullable Throwable failure) {
        if (holds.get(hold.room) != hold || hold.run != run) {
            // Too late, or a second time.
            return;
        }
        hold.run++;
        hold.deadline.cancel();
        if (failure != null) {
            callbacks.tell(failure);
        }
        if (failure != null || hold.overflow != null) {
            // A room that receives faster than its reload must not load without a pause.
            hold.attempts++;
            Duration delay = BACKOFF.delay(hold.attempts, () -> 0);
            hold.retry = scheduler.schedule(delay, () -> submit(() -> retry(hold)));
        } else if (hold.again) {
            run(hold);
        } else {
            if (upTo != null) {
                loaded.put(hold.room, upTo);
            }
            release(hold);
        }
    }

    private static RealtimeException late(Hold hold) {
        String why = "the reload hook of room '" + hold.room + "' has not loaded within " + TIMEOUT;
        return new RealtimeException(ErrorCode.TIMEOUT, why, true, null);
    }

    private void retry(Hold hold) {
        if (holds.get(hold.room) == hold && hold.retry != null) {
            hold.retry.cancel();
            hold.retry = null;
            run(hold);
        }
    }

    /** Hands over what is held, except what was loaded. */
    private void release(Hold hold) {
        end(hold);
        if (hold.overflow != null) {
            overflowed(hold, hold.overflow);
        }
        for (Inbound message : hold.held) {
            if (!isLoaded(hold.room, message)) {
                callbacks.hand(message);
            }
        }
        drop(hold);
    }

    private Gap overflowed(Hold hold, Position position) {
        Gap gap = new Gap(hold.room, position, Gap.OVERFLOW);
        callbacks.tellGap(gap);
        return gap;
    }

    private void end(Hold hold) {
        holds.remove(hold.room);
        hold.deadline.cancel();
        if (hold.retry != null) {
            hold.retry.cancel();
        }
    }

    private void drop(Hold hold) {
        hold.held.clear();
        allBytes -= hold.bytes;
        hold.bytes = 0;
    }
}
