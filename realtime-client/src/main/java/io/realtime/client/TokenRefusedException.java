package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;

/**
 * Says, thrown by a {@link TokenProvider} or as the failure of its stage, that there will be no token: the user logged
 * out. The client closes instead of trying again. Code {@code unauthorized}.
 */
public final class TokenRefusedException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    /** A refusal; the message is for people and never holds a token. */
    public TokenRefusedException(String message) {
        super(ErrorCode.UNAUTHORIZED, message);
    }
}
