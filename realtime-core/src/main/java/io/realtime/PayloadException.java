package io.realtime;

import org.jspecify.annotations.Nullable;

/**
 * A payload that does not fit its contract. The message names the place in the payload. Code {@code bad_data}.
 *
 * <p>A handler that throws one refuses the payload that it received. If {@link #isOutgoing} is true and the exception
 * escapes from a handler, the handler itself has failed: the sender gets {@code internal}.
 */
public final class PayloadException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    private final boolean isOutgoing;

    /** Creates a failure of a received payload. */
    public PayloadException(String message) {
        this(message, null);
    }

    /** Creates a failure of a received payload. */
    public PayloadException(String message, @Nullable Throwable cause) {
        this(message, cause, false);
    }

    private PayloadException(String message, @Nullable Throwable cause, boolean isOutgoing) {
        super(ErrorCode.BAD_DATA, message, false, cause);
        this.isOutgoing = isOutgoing;
    }

    /** Returns a failure of a payload that was to be sent, with the message and the cause of another. */
    public static PayloadException outgoing(PayloadException unfit) {
        return unfit.isOutgoing ? unfit : new PayloadException(unfit.getMessage(), unfit.getCause(), true);
    }

    /** Returns true if the payload was to be sent from here, false if it was received. */
    public boolean isOutgoing() {
        return isOutgoing;
    }
}
