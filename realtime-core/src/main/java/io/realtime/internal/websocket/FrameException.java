package io.realtime.internal.websocket;

import io.realtime.CloseReason;

/** The peer violated RFC 6455 or a limit. Nothing after the violation can be read. */
public final class FrameException extends Exception {
    private static final long serialVersionUID = 1L;

    private final transient CloseReason reason;

    FrameException(int code, String text) {
        // Hostile input is normal input, so there is no stack trace.
        super(text, null, false, false);
        this.reason = new CloseReason(code, text);
    }

    /** Returns an exception that closes the connection with 1002. */
    static FrameException protocolError(String text) {
        return new FrameException(CloseReason.WEBSOCKET_PROTOCOL_ERROR, text);
    }

    /** Returns the reason to close the connection with. */
    public CloseReason reason() {
        return reason;
    }
}
