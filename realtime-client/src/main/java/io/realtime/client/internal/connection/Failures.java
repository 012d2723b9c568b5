package io.realtime.client.internal.connection;

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
 * Reports attempts to connect that fail, in series without end. The first failure of a series is logged at once, later
 * ones rarely. The application is told of each one that looks permanent and differs from the one before. Owned by the
 * scheduler's thread.
 */
public final class Failures {
    private static final Logger LOG = LoggerFactory.getLogger(Failures.class);
    private static final Duration PAUSE = Duration.ofMinutes(10);
    // In characters. The one that replaces omitted text has three bytes.
    private static final int MOST_TEXT = 120;

    private final String address;
    private final Scheduler scheduler;
    private final Consumer<Throwable> errors;
    // Of the present series.
    private @Nullable ConnectionException last;
    // In the present series.
    private int count;
    // On the scheduler's clock, in the present series.
    private long warnedAt;

    /** @param errors reports a failure to the application */
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

    /** Ends the series: there is a connection, or another series begins. */
    void over() {
        last = null;
        count = 0;
    }

    /** Returns the failure of a connect that has timed out. */
    ConnectionException none(String when) {
        String why = "no connection " + when + (last == null ? "" : ": " + last.getMessage());
        return new ConnectionException(ErrorCode.TIMEOUT, reason(why), why, last);
    }

    /**
     * Returns a reason with as much of a failure's message as fits. The middle is omitted: its two ends say what
     * failed, and why.
     */
    static CloseReason reason(String message) {
        return new CloseReason(CloseReason.ABNORMAL, Texts.ends(Texts.line(message), MOST_TEXT));
    }

    /** Returns the failure of what waited for a connection that has ended for this reason. */
    static ConnectionException ended(CloseReason reason, @Nullable Throwable cause) {
        return new ConnectionException(errorCode(reason), reason, cause);
    }

    private static ErrorCode errorCode(CloseReason reason) {
        return switch (reason.code()) {
            case CloseReason.NORMAL -> ErrorCode.CLOSED;
            case CloseReason.UNAUTHORIZED -> ErrorCode.UNAUTHORIZED;
            case CloseReason.FORBIDDEN -> ErrorCode.FORBIDDEN;
            case CloseReason.TOO_BIG -> ErrorCode.TOO_BIG;
            default -> ErrorCode.CONNECTION_LOST;
        };
    }
}
