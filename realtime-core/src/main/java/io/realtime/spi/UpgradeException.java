package io.realtime.spi;

import io.realtime.internal.Texts;
import java.io.IOException;
import java.util.Collections;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** A refused upgrade: the answer had another HTTP status than 101. */
public final class UpgradeException extends IOException {
    private static final long serialVersionUID = 1L;
    private static final int MOST_PHRASE = 200;

    private final int status;
    private final transient @Nullable Map<String, String> headers;

    /**
     * Creates the failure for an answer.
     *
     * @param phrase what follows the status in the answer's first line; may be empty. The message contains at most 200
     * characters of it, with a space for each that is not printable
     * @param headers of the answer, with names in any case; a header without a name or a value is ignored
     */
    public UpgradeException(int status, String phrase, Map<String, String> headers) {
        super("upgrade refused: " + (status + " " + Texts.line(phrase, MOST_PHRASE)).trim());
        this.status = status;
        TreeMap<String, String> copy = new TreeMap<>();
        headers.forEach((name, value) -> {
            // HttpURLConnection stores the status line under a null name.
            if (name != null && value != null) {
                copy.put(name.toLowerCase(Locale.ROOT), value);
            }
        });
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
