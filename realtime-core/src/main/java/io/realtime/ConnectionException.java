package io.realtime;

import io.realtime.internal.Texts;
import io.realtime.spi.UpgradeException;
import java.security.cert.CertificateException;
import java.util.Collections;
import java.util.Map;
import javax.net.ssl.SSLPeerUnverifiedException;
import org.jspecify.annotations.Nullable;

/**
 * A failure to connect, or the permanent end of a connection. Its code is {@code connection_lost} unless the cause has
 * its own. The message gives the reason for people.
 */
public final class ConnectionException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    private final int closeCode;
    private final String closeText;

    /** Creates a failure for a connection that ended for this reason. */
    public ConnectionException(ErrorCode code, CloseReason reason, @Nullable Throwable cause) {
        this(code, reason, reason.text().isEmpty() ? "closed with " + reason.code() : reason.text(), cause);
    }

    /**
     * Creates a failure whose message gives the full reason, because the text of a {@link CloseReason} is short.
     *
     * @param message each character that is not printable becomes a space
     */
    public ConnectionException(ErrorCode code, CloseReason reason, String message, @Nullable Throwable cause) {
        super(code, Texts.line(message), true, cause);
        this.closeCode = reason.code();
        this.closeText = reason.text();
    }

    /** Returns how the connection ended; 1006 if it was never open. */
    public CloseReason reason() {
        return new CloseReason(closeCode, closeText);
    }

    /**
     * Returns the HTTP status with which the server, or a proxy before it, refused the upgrade; 0 if there was no HTTP
     * answer.
     */
    public int status() {
        UpgradeException refusal = find(UpgradeException.class);
        return refusal == null ? 0 : refusal.status();
    }

    /** Returns the headers of that answer, their names in lower case; empty if there was no answer. */
    public Map<String, String> headers() {
        UpgradeException refusal = find(UpgradeException.class);
        return refusal == null ? Collections.emptyMap() : refusal.headers();
    }

    /**
     * Returns whether further attempts will most likely fail in the same way until someone changes the address, the
     * token or a certificate. True for an HTTP status of 200 to 399 (a page, not a WebSocket server), 400, 401, 403,
     * 404, 405, 410 and 426, and for a certificate that is not trusted.
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
        // The depth is bounded because a cause chain may contain a cycle.
        for (int depth = 0; cause != null && depth < 20; depth++) {
            if (type.isInstance(cause)) {
                return type.cast(cause);
            }
            cause = cause.getCause();
        }
        return null;
    }
}
