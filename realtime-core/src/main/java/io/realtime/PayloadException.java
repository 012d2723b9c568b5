package io.realtime;

import org.jspecify.annotations.Nullable;

/**
 * A payload that does not fit its contract: one that was received, such as an answer, or one that was to be sent. The
 * message names the place in the payload. Code {@code bad_data}.
 *
 * <p>If one escapes from a handler, the handler has failed, and the client gets {@code internal}. A handler
 * that refuses its message throws a {@link RealtimeException} with a code.
 */
public final class PayloadException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    /** Creates a failure of a payload. */
    public PayloadException(String message) {
        this(message, null);
    }

    /** Creates a failure of a payload. */
    public PayloadException(String message, @Nullable Throwable cause) {
        super(ErrorCode.BAD_DATA, message, false, cause);
    }
}
