package io.realtime;

import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The root of every failure that this library reports. If a server handler of the application throws one, the client
 * gets its code and message. Any other exception of a handler is sent as {@code internal}, and only the server's log
 * has the details.
 */
public class RealtimeException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /** A record is not serializable by itself, so the code is kept as its word. */
    private final String code;

    private final boolean retryable;

    /** Creates a failure that would occur again if the same attempt were repeated. */
    public RealtimeException(ErrorCode code, String message) {
        this(code, message, false, null);
    }

    /**
     * Creates a failure.
     *
     * @param retryable whether the same attempt may succeed later
     */
    public RealtimeException(ErrorCode code, String message, boolean retryable, @Nullable Throwable cause) {
        super(Objects.requireNonNull(message, "message"), cause);
        this.code = code.value();
        this.retryable = retryable;
    }

    /** Returns the kind of failure. */
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
