package io.realtime.client;

import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Tells the server how far the application has come in the user's inbox: at most once a second, or per 32 messages.
 * Owned by the scheduler's thread.
 */
final class InboxAcks {
    private static final Duration PAUSE = Duration.ofSeconds(1);
    private static final int BATCH = 32;

    private final Scheduler scheduler;
    private final Say send;
    private @Nullable String epoch;
    private long handled;
    private int unsaid;
    private Scheduler.@Nullable Cancellable timer;

    /** Sends an acknowledgement of a place in the inbox; false while there is no connection. */
    interface Say {
        boolean say(@Nullable String epoch, long offset);
    }

    InboxAcks(Scheduler scheduler, Say send) {
        this.scheduler = scheduler;
        this.send = send;
    }

    /** The application has handled the message of this place. */
    void handled(@Nullable String newEpoch, long offset) {
        if (!Objects.equals(epoch, newEpoch)) {
            epoch = newEpoch;
            handled = 0;
        }
        handled = Math.max(handled, offset);
        unsaid++;
        if (unsaid >= BATCH) {
            say();
        } else if (timer == null) {
            timer = scheduler.schedule(PAUSE, this::say);
        }
    }

    /** Says what was not said before, once a connection is open. */
    void welcomed() {
        if (unsaid > 0) {
            say();
        }
    }

    private void say() {
        stop();
        if (send.say(epoch, handled)) {
            unsaid = 0;
        }
    }

    /** The inbox is another user's. */
    void forget() {
        stop();
        epoch = null;
        handled = 0;
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
