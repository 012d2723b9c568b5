package io.realtime.internal.websocket;

import io.realtime.CloseReason;
import java.nio.charset.StandardCharsets;

/** The close codes of RFC 6455 section 7.4, and the payload of close frames that carries them. */
public final class CloseCodes {
    /** The peer sent text that is not UTF-8. */
    static final int INVALID_UTF8 = 1007;

    private static final byte[] NONE = new byte[0];

    private CloseCodes() {}

    /** Returns whether a close frame may contain a code (section 7.4 and the registry that it established). */
    public static boolean isSendable(int code) {
        return (code >= 3000 && code <= 4999) || (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014);
    }

    /** Returns the payload of a close frame. It is empty if the code must not be sent. */
    static byte[] encode(CloseReason reason) {
        if (!isSendable(reason.code())) {
            return NONE;
        }
        byte[] text = reason.text().getBytes(StandardCharsets.UTF_8);
        byte[] payload = new byte[2 + text.length];
        payload[0] = (byte) (reason.code() >> 8);
        payload[1] = (byte) reason.code();
        System.arraycopy(text, 0, payload, 2, text.length);
        return payload;
    }

    /** Returns the reason that a close frame carries; {@link CloseReason#NO_STATUS} if it contains no code. */
    static CloseReason decode(byte[] payload) throws FrameException {
        if (payload.length == 0) {
            return new CloseReason(CloseReason.NO_STATUS, "");
        }
        int code = payload.length == 1 ? -1 : ((payload[0] & 0xFF) << 8) | (payload[1] & 0xFF);
        if (!isSendable(code)) {
            throw FrameException.protocolError("invalid close code");
        }
        String text = FrameReader.utf8(payload, 2, payload.length - 2);
        if (text == null) {
            throw new FrameException(INVALID_UTF8, "close reason is not UTF-8");
        }
        return new CloseReason(code, text);
    }
}
