package io.realtime.server.internal.connection;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.internal.wire.ErrorData;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The error that a peer is sent before a close, since a browser sees only the close code and reason. */
final class CloseErrors {
    private static final Map<Integer, ErrorCode> CODES = Map.ofEntries(
            Map.entry(CloseReason.UNAUTHORIZED, ErrorCode.UNAUTHORIZED),
            Map.entry(CloseReason.PROTOCOL_ERROR, ErrorCode.BAD_MESSAGE),
            Map.entry(CloseReason.FORBIDDEN, ErrorCode.FORBIDDEN),
            Map.entry(CloseReason.KICKED, ErrorCode.of("kicked")),
            Map.entry(CloseReason.SESSION_REPLACED, ErrorCode.of("session_replaced")),
            Map.entry(CloseReason.OVERLOADED, ErrorCode.OVERLOADED),
            Map.entry(CloseReason.HELLO_TIMEOUT, ErrorCode.of("hello_timeout")),
            Map.entry(CloseReason.HEARTBEAT_TIMEOUT, ErrorCode.of("heartbeat_timeout")),
            Map.entry(CloseReason.TOO_MANY_SESSIONS, ErrorCode.of("too_many_sessions")),
            Map.entry(CloseReason.RATE_LIMITED, ErrorCode.RATE_LIMITED),
            Map.entry(CloseReason.IDLE, ErrorCode.of("idle")),
            Map.entry(CloseReason.DRAINING, ErrorCode.of("draining")),
            Map.entry(CloseReason.RECONNECT, ErrorCode.of("reconnect")),
            Map.entry(CloseReason.TOKEN_EXPIRED, ErrorCode.TOKEN_EXPIRED));

    private CloseErrors() {}

    /** Returns the error that says why; null for a reason that has none. */
    static @Nullable ErrorData of(CloseReason reason) {
        // A close by the application is a kick, whatever the code.
        ErrorCode code = CODES.get(reason.isOfApplication() ? CloseReason.KICKED : reason.code());
        boolean isRetryable = reason.code() >= 4100 && !reason.isOfApplication();
        return code == null ? null : new ErrorData(code.value(), reason.text(), isRetryable, null, reason.code());
    }
}
