package io.realtime.client;

/** What a client does when a connection ends with a code: docs/protocol.md, "Close codes". */
enum CloseRule {
    /** Stays closed: the server is done, or will never accept this client. */
    STOP,
    /** The token is missing or invalid: stays closed unless there is a different one. */
    UNAUTHORIZED,
    /** The token is used up: a fresh one at once, the second time after a while. */
    TOKEN,
    /** A message was too big: fails it and tries again after a while. */
    TOO_BIG,
    /** The server moves its clients: tries again at once, within the window it gave. */
    MOVE,
    /** Trouble: tries again after a while. */
    BACKOFF;

    /** Returns the rule for a code that the server sent; an unknown code follows its range. */
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
            case 40 -> STOP;
            case 42 -> MOVE;
            case 43 -> TOKEN;
            default -> BACKOFF;
        };
    }
}
