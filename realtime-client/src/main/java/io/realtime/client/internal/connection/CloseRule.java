package io.realtime.client.internal.connection;

/** What a client does when a connection ends with a code (docs/protocol.md, "Close codes"). */
enum CloseRule {
    /** Stays closed: the server is done, or will never accept this client. */
    STOP,
    /** The token is missing or invalid: stays closed unless there is a different one. */
    UNAUTHORIZED,
    /** The token has expired: gets another one at once, the second time after the backoff. */
    TOKEN,
    /** A message was too big: fails it and tries again after the backoff. */
    TOO_BIG,
    /** The server moves its clients: tries again within the window that the server gave. */
    MOVE,
    /** Any other trouble: tries again after the backoff. */
    BACKOFF;

    /** Returns the rule for a code that the server sent; an unknown code has the rule of its range. */
    static CloseRule of(int code) {
        return switch (code) {
            case 1000, 1003, 1010 -> STOP;
            case 1008 -> UNAUTHORIZED;
            case 1009 -> TOO_BIG;
            case 1012 -> MOVE;
            default -> ofRange(code);
        };
    }

    private static CloseRule ofRange(int code) {
        return switch (code / 100) {
            // From 4500 on the codes are the application's.
            case 40, 45, 46, 47, 48, 49 -> STOP;
            case 42 -> MOVE;
            case 43 -> TOKEN;
            default -> BACKOFF;
        };
    }
}
