package io.realtime;

import org.jspecify.annotations.Nullable;

/** A connection could not be made, or is over for good. Code {@code connection_lost} unless the cause has its own. */
public final class ConnectionException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    private final int closeCode;
    private final String closeText;

    /** A connection that ended for this reason. */
    public ConnectionException(ErrorCode code, CloseReason reason, @Nullable Throwable cause) {
        super(code, reason.text().isEmpty() ? "closed with " + reason.code() : reason.text(), true, cause);
        this.closeCode = reason.code();
        this.closeText = reason.text();
    }

    /** Returns how the connection ended; 1006 when it was never open. */
    public CloseReason reason() {
        return new CloseReason(closeCode, closeText);
    }
}
