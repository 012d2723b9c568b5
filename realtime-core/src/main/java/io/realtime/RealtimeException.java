package io.realtime;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The root of every failure that this library reports. Thrown by an application's server handler it answers the sender
 * with its code and message; any other exception of a handler answers {@code internal} and stays in the server's log.
 */
public class RealtimeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** A record is not serializable by itself, so the code travels as its word. */
    private final String code;

    private final boolean retryable;

    /** A failure that the same attempt would meet again. */
    public RealtimeException(ErrorCode code, String message) {
        this(code, message, false, null);
    }

    /**
     * A failure.
     *
     * @param retryable whether the same attempt may succeed later
     */
    public RealtimeException(ErrorCode code, String message, boolean retryable, @Nullable Throwable cause) {
        super(Objects.requireNonNull(message, "message"), cause);
        this.code = code.value();
        this.retryable = retryable;
    }

    /** Returns what kind of failure it is. */
    public final ErrorCode code() {
        return ErrorCode.of(code);
    }

    /** Returns whether the same attempt may succeed later. */
    public final boolean isRetryable() {
        return retryable;
    }

    @Override
    public String getMessage() {
        return String.valueOf(super.getMessage());
    }
}
