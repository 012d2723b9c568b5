package io.realtime;

import io.realtime.internal.wire.Names;

/**
 * What kind of failure a peer is told about, as a stable word on the wire. Applications add their own with {@link #of}.
 *
 * @param value the word: 1 to 64 of {@code A-Z a-z 0-9 _ . : / -}
 */
public record ErrorCode(String value) {
    /** Not an envelope: not JSON, a field of the wrong type, a bad name. */
    public static final ErrorCode BAD_MESSAGE = of("bad_message");
    /** The payload does not fit the contract. */
    public static final ErrorCode BAD_DATA = of("bad_data");
    /** A protocol frame that does not exist. */
    public static final ErrorCode UNKNOWN_TYPE = of("unknown_type");
    /** No handler takes this event or request. */
    public static final ErrorCode NO_HANDLER = of("no_handler");
    /** The token is missing or invalid. */
    public static final ErrorCode UNAUTHORIZED = of("unauthorized");
    /** The token was valid once; a fresh one helps. */
    public static final ErrorCode TOKEN_EXPIRED = of("token_expired");
    /** The session may not do this. */
    public static final ErrorCode FORBIDDEN = of("forbidden");
    /** Too many messages in too short a time. */
    public static final ErrorCode RATE_LIMITED = of("rate_limited");
    /** A bound of the receiver is reached. */
    public static final ErrorCode OVERLOADED = of("overloaded");
    /** The message is larger than the receiver takes. */
    public static final ErrorCode TOO_BIG = of("too_big");
    /** The handler failed; the details are in the receiver's log only. */
    public static final ErrorCode INTERNAL = of("internal");
    /** No connection, or none any more. */
    public static final ErrorCode CONNECTION_LOST = of("connection_lost");
    /** The disk could not be written. */
    public static final ErrorCode STORAGE = of("storage");
    /** No answer came in time. */
    public static final ErrorCode TIMEOUT = of("timeout");
    /** Whoever asked does not want the answer any more. */
    public static final ErrorCode CANCELLED = of("cancelled");
    /** It belonged to the user before: the server names another one now. */
    public static final ErrorCode USER_CHANGED = of("user_changed");
    /** The client, server or room is closed. */
    public static final ErrorCode CLOSED = of("closed");

    /** A code; see {@link #of}. */
    public ErrorCode {
        Names.requireName("error code", value, 64);
    }

    /**
     * A code of the application's own.
     *
     * @throws IllegalArgumentException when the word has another form
     */
    public static ErrorCode of(String value) {
        return new ErrorCode(value);
    }

    @Override
    public String toString() {
        return value;
    }
}
