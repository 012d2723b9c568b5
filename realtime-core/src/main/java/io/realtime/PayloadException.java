package io.realtime;

import org.jspecify.annotations.Nullable;

/**
 * A payload that does not fit its contract; the message names the place in the payload. Code {@code bad_data}.
 *
 * <p>A handler that throws one refuses what it was sent. One that {@linkplain #isOutgoing is outgoing} and escapes from a
 * handler is the handler's own failure: the sender is told {@code internal}.
 */
public final class PayloadException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    private final boolean isOutgoing;

    /** A payload that does not fit. */
    public PayloadException(String message) {
        this(message, null);
    }

    /** A payload that does not fit. */
    public PayloadException(String message, @Nullable Throwable cause) {
        this(message, cause, false);
    }

    private PayloadException(String message, @Nullable Throwable cause, boolean isOutgoing) {
        super(ErrorCode.BAD_DATA, message, false, cause);
        this.isOutgoing = isOutgoing;
    }

    /** Returns a failure for a payload that was to be sent, with the message and the cause of another. */
    public static PayloadException outgoing(PayloadException unfit) {
        return unfit.isOutgoing ? unfit : new PayloadException(unfit.getMessage(), unfit.getCause(), true);
    }

    /** Returns whether the payload was to be sent from here, rather than received. */
    public boolean isOutgoing() {
        return isOutgoing;
    }
}
