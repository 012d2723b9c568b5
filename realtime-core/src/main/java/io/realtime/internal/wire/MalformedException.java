package io.realtime.internal.wire;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;

/** A frame that is no envelope. Code {@code bad_message}. */
public final class MalformedException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    MalformedException(String message) {
        super(ErrorCode.BAD_MESSAGE, message);
    }
}
