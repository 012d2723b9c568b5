package io.realtime.client.internal.room;

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
 * before the client closes the connection. A message that was not handled holds back its acknowledgement and those of
 * the messages after it. When {@link #MOST_HELD} messages have passed, it is acknowledged with them, so that another
 * device does not get too many again. Owned by the scheduler's thread.
 */
public final class InboxAcks {
    /** How many messages after one that was not handled wait with it for the next device. */
    static final int MOST_HELD = 100;

    private static final Duration PAUSE = Duration.ofSeconds(1);
    private static final int BATCH = 32;

    private final Scheduler scheduler;
    private final AckSender send;
    private final Consumer<Throwable> errors;
    // At most MOST_HELD + 1.
    private final ArrayDeque<Unhandled> unhandled = new ArrayDeque<>();
    private @Nullable String epoch;
    // Up to here messages were handled, or failed to be handled.
    private long passed;
    // How many messages have passed.
    private long count;
    private long acknowledged;
    private int pending;
    private Scheduler.@Nullable Cancellable timer;

    /**
     * @param before the offset up to which may be acknowledged while this holds back the rest
     * @param count how many had passed, including this
     */
    private record Unhandled(long offset, long before, long count) {}

    /**
     * Sends an acknowledgement of an offset in the inbox. Returns false when there is no connection, or the inbox began
     * anew.
     */
    public interface AckSender {
        boolean acknowledge(@Nullable String epoch, long offset);
    }

    public InboxAcks(Scheduler scheduler, AckSender send, Consumer<Throwable> errors) {
        this.scheduler = scheduler;
        this.send = send;
        this.errors = errors;
    }

    /** Notes whether the application handled the message of this offset. */
    public void outcome(@Nullable String newEpoch, long offset, boolean isHandled) {
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
        if (acknowledgeable() <= acknowledged) {
            return;
        }
        pending++;
        if (pending >= BATCH) {
            acknowledge();
        } else if (timer == null) {
            timer = scheduler.schedule(PAUSE, this::acknowledge);
        }
    }

    private long acknowledgeable() {
        Unhandled oldest = unhandled.peek();
        return oldest == null ? passed : oldest.before;
    }

    /**
     * Handles a new connection: reports soon how far the application has come, since the last report may have been
     * lost.
     */
    public void welcomed() {
        acknowledged = 0;
        if (acknowledgeable() > acknowledged && timer == null) {
            timer = scheduler.schedule(PAUSE, this::acknowledge);
        }
    }

    /** Sends what was not acknowledged yet. */
    public void flush() {
        if (acknowledgeable() > acknowledged) {
            acknowledge();
        }
    }

    private void acknowledge() {
        stop();
        long offset = acknowledgeable();
        if (send.acknowledge(epoch, offset)) {
            acknowledged = offset;
            pending = 0;
        }
    }

    /** Begins anew with another inbox. */
    public void forget() {
        stop();
        unhandled.clear();
        epoch = null;
        passed = 0;
        count = 0;
        acknowledged = 0;
        pending = 0;
    }

    /** Ends the timer without sending. */
    public void stop() {
        if (timer != null) {
            timer.cancel();
            timer = null;
        }
    }
}
