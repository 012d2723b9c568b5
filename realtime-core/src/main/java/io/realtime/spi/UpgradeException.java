package io.realtime.spi;

import io.realtime.internal.Texts;
import java.io.IOException;
import java.util.Collections;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** The answer to an upgrade was none: another HTTP status than 101. */
public final class UpgradeException extends IOException {
    private static final long serialVersionUID = 1L;
    private static final int MOST_PHRASE = 200;

    private final int status;
    private final transient @Nullable Map<String, String> headers;

    /**
     * An answer.
     *
     * @param phrase what stands behind the status in the answer's first line; may be empty. Characters that are not
     *     printable become spaces in the message, which has 200 characters of it at most
     * @param headers of the answer; their names in whatever case. One without a name or a value is left out
     */
    public UpgradeException(int status, String phrase, Map<String, String> headers) {
        super("upgrade refused: " + (status + " " + Texts.line(phrase, MOST_PHRASE)).trim());
        this.status = status;
        TreeMap<String, String> copy = new TreeMap<>();
        headers.forEach((name, value) -> {
            if (name != null && value != null) { // HttpURLConnection's have null for a name
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
