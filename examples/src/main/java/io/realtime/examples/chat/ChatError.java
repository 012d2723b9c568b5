package io.realtime.examples.chat;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;

/** The errors that a client is told, over the WebSocket and over HTTP alike. */
final class ChatError {
    static final ErrorCode UNAVAILABLE = ErrorCode.of("unavailable");
    static final ErrorCode CONFLICT = ErrorCode.of("conflict");

    private ChatError() {}

    static RealtimeException badData(String message) {
        return new RealtimeException(ErrorCode.BAD_DATA, message);
    }

    static RealtimeException conflict(String message) {
        return new RealtimeException(CONFLICT, message);
    }

    static RealtimeException overloaded(String message) {
        return new RealtimeException(ErrorCode.OVERLOADED, message);
    }

    /** Returns the error for a database that does not answer: send it again, with the same id. */
    static RealtimeException unavailable(Throwable cause) {
        return new RealtimeException(UNAVAILABLE, "the database does not answer; try again", true, cause);
    }
}
