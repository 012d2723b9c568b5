package io.realtime;

import io.realtime.internal.wire.Names;

/**
 * The kind of a failure, as a stable word on the wire. Applications define their own with {@link #of}.
 *
 * @param value the word: 1 to 64 of {@code A-Z a-z 0-9 _ . : / -}
 */
public record ErrorCode(String value) {
    /** The frame is not an envelope: not JSON, a field of the wrong type, or an invalid name. */
    public static final ErrorCode BAD_MESSAGE = of("bad_message");
    /** The payload does not fit the contract. */
    public static final ErrorCode BAD_DATA = of("bad_data");
    /** The protocol has no frame of this type. */
    public static final ErrorCode UNKNOWN_TYPE = of("unknown_type");
    /** No handler is registered for this event or request. */
    public static final ErrorCode NO_HANDLER = of("no_handler");
    /** The token is missing or invalid. */
    public static final ErrorCode UNAUTHORIZED = of("unauthorized");
    /** The token was valid and has expired; retry with a fresh one. */
    public static final ErrorCode TOKEN_EXPIRED = of("token_expired");
    /** The session is not permitted to do this. */
    public static final ErrorCode FORBIDDEN = of("forbidden");
    /** The peer exceeded the rate limit. */
    public static final ErrorCode RATE_LIMITED = of("rate_limited");
    /** A bound of the receiver is exceeded. */
    public static final ErrorCode OVERLOADED = of("overloaded");
    /** The message is larger than the receiver accepts. */
    public static final ErrorCode TOO_BIG = of("too_big");
    /** The handler failed; only the receiver's log has the details. */
    public static final ErrorCode INTERNAL = of("internal");
    /** There is no connection, or it was lost. */
    public static final ErrorCode CONNECTION_LOST = of("connection_lost");
    /** Writing to the disk failed. */
    public static final ErrorCode STORAGE = of("storage");
    /** No answer came in time. */
    public static final ErrorCode TIMEOUT = of("timeout");
    /** The requester cancelled, or no longer needs the answer. */
    public static final ErrorCode CANCELLED = of("cancelled");
    /** The item belongs to an earlier user; the server now names another one. */
    public static final ErrorCode USER_CHANGED = of("user_changed");
    /** The client, server or room is closed. */
    public static final ErrorCode CLOSED = of("closed");

    /** Creates a code; see {@link #of}. */
    public ErrorCode {
        Names.requireName("error code", value, 64);
    }

    /**
     * Returns a code of the application's own.
     *
     * @throws IllegalArgumentException if the word does not have the form above
     */
    public static ErrorCode of(String value) {
        return new ErrorCode(value);
    }

    @Override
    public String toString() {
        return value;
    }
}
