package io.realtime;

import io.realtime.internal.Texts;
import java.nio.charset.StandardCharsets;
import java.util.Objects;

/**
 * The reason why a connection was closed: a WebSocket close code (RFC 6455 section 7.4) and a short text.
 *
 * @param code the close code; those of this library are the constants here
 * @param text at most 123 bytes of UTF-8 (RFC 6455 section 5.5); a longer text is cut. It never holds a secret
 */
public record CloseReason(int code, String text) {
    /** The peer has finished. */
    public static final int NORMAL = 1000;
    /** The peer goes away: a browser tab was closed, or a server process ends. */
    public static final int GOING_AWAY = 1001;
    /** The other side violated RFC 6455. */
    public static final int WEBSOCKET_PROTOCOL_ERROR = 1002;
    /** The close frame had no code; never sent. */
    public static final int NO_STATUS = 1005;
    /** The connection was lost without a closing handshake; never sent. */
    public static final int ABNORMAL = 1006;
    /** The token is missing or invalid. */
    public static final int UNAUTHORIZED = 1008;
    /** A message exceeded the size limit. */
    public static final int TOO_BIG = 1009;
    /** The server failed. */
    public static final int INTERNAL_ERROR = 1011;
    /** The server restarts. */
    public static final int SERVICE_RESTART = 1012;

    /** The peer violated the protocol of this library. */
    public static final int PROTOCOL_ERROR = 4000;
    /** The peer is not permitted to do this. */
    public static final int FORBIDDEN = 4003;
    /** The application disconnected the session permanently. */
    public static final int KICKED = 4005;
    /** A newer connection took over the session. */
    public static final int SESSION_REPLACED = 4006;
    /** The user has too many sessions. */
    public static final int TOO_MANY_SESSIONS = 4007;
    /** The session's mailbox is full, because its handlers are too slow. */
    public static final int OVERLOADED = 4100;
    /** The peer continued to exceed the rate limit. */
    public static final int RATE_LIMITED = 4101;
    /** The receiver does not read what is sent to it. */
    public static final int SLOW_CONSUMER = 4102;
    /** No {@code $hello} arrived in time. */
    public static final int HELLO_TIMEOUT = 4103;
    /** Nothing was received within the heartbeat's timeout. */
    public static final int HEARTBEAT_TIMEOUT = 4105;
    /** The session was idle for too long. */
    public static final int IDLE = 4108;
    /** The server drains; reconnect to another server. */
    public static final int DRAINING = 4200;
    /** The application asks the client to connect again. */
    public static final int RECONNECT = 4201;
    /** The token expired. */
    public static final int TOKEN_EXPIRED = 4300;

    private static final int MAX_TEXT_BYTES = 123;

    /** Creates a reason; a text that is too long for a close frame is cut at a character boundary. */
    public CloseReason {
        Objects.requireNonNull(text, "text");
        // Each char takes at least one byte, so cut by chars first: a long text is not measured many times.
        if (text.length() > MAX_TEXT_BYTES) {
            boolean splitsPair =
                    Character.isSurrogatePair(text.charAt(MAX_TEXT_BYTES - 1), text.charAt(MAX_TEXT_BYTES));
            text = text.substring(0, splitsPair ? MAX_TEXT_BYTES - 1 : MAX_TEXT_BYTES);
        }
        while (text.getBytes(StandardCharsets.UTF_8).length > MAX_TEXT_BYTES) {
            text = text.substring(0, text.offsetByCodePoints(text.length(), -1));
        }
    }

    /** Returns whether the code is one that applications may use as their own: 4500 to 4999. */
    public boolean isOfApplication() {
        return code >= 4500 && code <= 4999;
    }

    /** Returns code and text for a log, with a space for each character that is not printable. */
    @Override
    public String toString() {
        return text.isEmpty() ? Integer.toString(code) : code + " " + Texts.line(text);
    }
}
