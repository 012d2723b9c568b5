package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Tells the server how far the application has come in the user's inbox: at most once a second, or per 32 messages, and
 * before the client closes the connection. A message that was not handled holds the acknowledgement back, and with it
 * those behind it, until so many have passed that another device would get too many again. Owned by the scheduler's
 * thread.
 */
final class InboxAcks {
    /** So many messages behind one that was not handled wait with it for the next device. */
    static final int MOST_HELD = 100;

    private static final Duration PAUSE = Duration.ofSeconds(1);
    private static final int BATCH = 32;

    private final Scheduler scheduler;
    private final Say send;
    private final Consumer<Throwable> errors;
    private final ArrayDeque<Unhandled> unhandled = new ArrayDeque<>(); // at most MOST_HELD + 1
    private @Nullable String epoch;
    private long passed; // up to here messages were handled, or not
    private long count; // of these
    private long said;
    private int unsaid;
    private Scheduler.@Nullable Cancellable timer;

    /**
     * @param before the place up to which may be acknowledged while it holds
     * @param count how many had passed with it
     */
    private record Unhandled(long offset, long before, long count) {}

    /** Sends an acknowledgement of a place in the inbox; false while there is no connection. */
    interface Say {
        boolean say(@Nullable String epoch, long offset);
    }

    InboxAcks(Scheduler scheduler, Say send, Consumer<Throwable> errors) {
        this.scheduler = scheduler;
        this.send = send;
        this.errors = errors;
    }

    /** The message of this place was handled by the application, or not. */
    void outcome(@Nullable String newEpoch, long offset, boolean isHandled) {
        if (!Objects.equals(epoch, newEpoch)) {
            forget();
            epoch = newEpoch;
        }
        count++;
        if (!isHandled) {
            unhandled.add(new Unhandled(offset, passed, count));
        }
        passed = Math.max(passed, offset);
        for (Unhandled oldest = unhandled.peek();
                oldest != null && count - oldest.count > MOST_HELD;
                oldest = unhandled.peek()) {
            unhandled.remove();
            errors.accept(new RealtimeException(
                    ErrorCode.NO_HANDLER,
                    "nobody handled the message of offset " + oldest.offset + " in the user's inbox, nor " + MOST_HELD
                            + " messages later: it is acknowledged"));
        }
        if (mayBeSaid() <= said) {
            return;
        }
        unsaid++;
        if (unsaid >= BATCH) {
            say();
        } else if (timer == null) {
            timer = scheduler.schedule(PAUSE, this::say);
        }
    }

    private long mayBeSaid() {
        Unhandled oldest = unhandled.peek();
        return oldest == null ? passed : oldest.before;
    }

    /** A connection is open: says soon how far the application has come, since what was said last may have been lost. */
    void welcomed() {
        said = 0;
        if (mayBeSaid() > said && timer == null) {
            timer = scheduler.schedule(PAUSE, this::say);
        }
    }

    /** Says what was not said yet. */
    void flush() {
        if (mayBeSaid() > said) {
            say();
        }
    }

    private void say() {
        stop();
        long offset = mayBeSaid();
        if (send.say(epoch, offset)) {
            said = offset;
            unsaid = 0;
        }
    }

    /** The inbox is another one. */
    void forget() {
        stop();
        unhandled.clear();
        epoch = null;
        passed = 0;
        count = 0;
        said = 0;
        unsaid = 0;
    }

    /** Ends the timer; what is unsaid stays so. */
    void stop() {
        if (timer != null) {
            timer.cancel();
            timer = null;
        }
    }
}
