package io.realtime.spi;

import java.io.IOException;
import java.util.Collections;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The answer to an upgrade was none: another HTTP status than 101. */
public final class UpgradeException extends IOException {
    private static final long serialVersionUID = 1L;

    private final int status;
    private final transient @Nullable Map<String, String> headers;

    /**
     * An answer.
     *
     * @param phrase what stands behind the status in the answer's first line; may be empty
     * @param headers of the answer; their names in whatever case
     */
    public UpgradeException(int status, String phrase, Map<String, String> headers) {
        super("upgrade refused: " + (status + " " + phrase).trim());
        this.status = status;
        TreeMap<String, String> copy = new TreeMap<>();
        headers.forEach((name, value) -> copy.put(name.toLowerCase(Locale.ROOT), value));
        this.headers = Collections.unmodifiableMap(copy);
    }

    /** Returns the HTTP status. */
    public int status() {
        return status;
    }

    /** Returns the answer's headers, their names in lower case. */
    public Map<String, String> headers() {
        return headers == null ? Collections.emptyMap() : headers;
    }
}
