package io.realtime;

import io.realtime.internal.Texts;
import io.realtime.spi.UpgradeException;
import java.security.cert.CertificateException;
import java.util.Collections;
import java.util.Map;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/**
 * A connection could not be made, or is over for good. Code {@code connection_lost} unless the cause has its own. The
 * message says why, for people.
 */
public final class ConnectionException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    private final int closeCode;
    private final String closeText;

    /** A connection that ended for this reason. */
    public ConnectionException(ErrorCode code, CloseReason reason, @Nullable Throwable cause) {
        this(code, reason, reason.text().isEmpty() ? "closed with " + reason.code() : reason.text(), cause);
    }

    /**
     * A connection that ended for this reason, which the message tells in full: the text of a {@link CloseReason} is short.
     *
     * @param message characters that are not printable become spaces
     */
    public ConnectionException(ErrorCode code, CloseReason reason, String message, @Nullable Throwable cause) {
        super(code, Texts.line(message), true, cause);
        this.closeCode = reason.code();
        this.closeText = reason.text();
    }

    /** Returns how the connection ended; 1006 when it was never open. */
    public CloseReason reason() {
        return new CloseReason(closeCode, closeText);
    }

    /** Returns the HTTP status that the server, or what stands before it, gave instead of a connection; 0 when none did. */
    public int status() {
        UpgradeException refusal = find(UpgradeException.class);
        return refusal == null ? 0 : refusal.status();
    }

    /** Returns the headers of that answer, their names in lower case; none when there was no answer. */
    public Map<String, String> headers() {
        UpgradeException refusal = find(UpgradeException.class);
        return refusal == null ? Collections.emptyMap() : refusal.headers();
    }

    /**
     * Returns whether other attempts will most likely fail in the same way until somebody changes something: the address, the
     * token, a certificate. So it is for an HTTP status of 200 to 399 (a page, not a WebSocket server), 400, 401, 403, 404, 405,
     * 410 and 426, and for a certificate that is not trusted.
     */
    public boolean isPermanent() {
        int status = status();
        return (status >= 200 && status < 400)
                || status == 400
                || status == 401
                || status == 403
                || status == 404
                || status == 405
                || status == 410
                || status == 426
                || find(CertificateException.class) != null
                || find(SSLPeerUnverifiedException.class) != null;
    }

    private <T extends Throwable> @Nullable T find(Class<T> type) {
        Throwable cause = this;
        for (int depth = 0; cause != null && depth < 20; depth++) { // a cause may be its own
            if (type.isInstance(cause)) {
                return type.cast(cause);
            }
            cause = cause.getCause();
        }
        return null;
    }
}
