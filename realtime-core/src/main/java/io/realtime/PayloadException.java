package io.realtime;

import org.jspecify.annotations.Nullable;

/** A payload that does not fit its contract; the message names the place in the payload. Code {@code bad_data}. */
public final class PayloadException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    /** A payload that does not fit. */
    public PayloadException(String message) {
        this(message, null);
    }

    /** A payload that does not fit. */
    public PayloadException(String message, @Nullable Throwable cause) {
        super(ErrorCode.BAD_DATA, message, false, cause);
    }
}
