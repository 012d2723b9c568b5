package io.realtime.internal.websocket;

/** The two sides of a connection. A client masks its frames, a server does not (RFC 6455 section 5.1). */
public enum Role {
    CLIENT,
    SERVER;

    /** Returns the side that this one talks to. */
    Role peer() {
        return this == CLIENT ? SERVER : CLIENT;
    }

    /** Returns whether this side masks the frames that it sends. */
    boolean masks() {
        return this == CLIENT;
    }
}
