package io.realtime.client;

import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.internal.Texts;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Tells of attempts to connect that fail, in series without end: the log of the first at once and of later ones rarely, and
 * the application of each that looks permanent and is not like the one before. Owned by the scheduler's thread.
 */
final class Failures {
    private static final Logger LOG = LoggerFactory.getLogger(Failures.class);
    private static final Duration PAUSE = Duration.ofMinutes(10);
    private static final int MOST_TEXT = 120; // chars, with three bytes for the one that is left out

    private final String address;
    private final Scheduler scheduler;
    private final Consumer<Throwable> errors;
    private @Nullable ConnectionException last; // of the present series
    private int count; // in the present series
    private long warnedAt; // on the scheduler's clock, in the present series

    /** @param errors tells the application */
    Failures(String address, Scheduler scheduler, Consumer<Throwable> errors) {
        this.address = address;
        this.scheduler = scheduler;
        this.errors = errors;
    }

    void add(ConnectionException failure) {
        ConnectionException before = last;
        last = failure;
        count++;
        long now = scheduler.nanoTime();
        if (count == 1 || now - warnedAt >= PAUSE.toNanos()) {
            warnedAt = now;
            LOG.warn(
                    "attempt {} to connect to {} has failed, and more follow: {}",
                    count,
                    address,
                    failure.getMessage());
        }
        LOG.debug("attempt {} to connect to {} has failed", count, address, failure);
        if (failure.isPermanent() && (before == null || !before.getMessage().equals(failure.getMessage()))) {
            errors.accept(failure);
        }
    }

    /** There is a connection, or another series begins. */
    void over() {
        last = null;
        count = 0;
    }

    /** Returns the failure of a connect that has timed out. */
    ConnectionException none(String when) {
        String why = "no connection " + when + (last == null ? "" : ": " + last.getMessage());
        return new ConnectionException(ErrorCode.TIMEOUT, reason(why), why, last);
    }

    /** Returns what of a failure's message fits in a reason: what has failed, and why, stand at its ends. */
    static CloseReason reason(String message) {
        return new CloseReason(CloseReason.ABNORMAL, Texts.ends(Texts.line(message), MOST_TEXT));
    }
}
