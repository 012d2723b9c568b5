package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;

/**
 * Thrown by a {@link TokenProvider}, or the failure of its stage, when there will be no token: the user logged out. The
 * client closes instead of trying again. Code {@code unauthorized}.
 */
public final class TokenRefusedException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    /** Creates a refusal; the message is for people and never holds a token. */
    public TokenRefusedException(String message) {
        super(ErrorCode.UNAUTHORIZED, message);
    }
}
