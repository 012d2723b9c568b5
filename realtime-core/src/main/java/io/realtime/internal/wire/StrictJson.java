package io.realtime.internal.wire;

import com.google.gson.Gson;
import com.google.gson.JsonSyntaxException;
import com.google.gson.reflect.TypeToken;
import io.realtime.internal.Libraries;
import org.jspecify.annotations.Nullable;

/**
 * A reader of JSON, strictly by RFC 8259. Gson itself is that strict only since 2.11, and applications may use 2.10.
 * Safe for use by many threads.
 */
public final class StrictJson {
    private static final Gson GSON = new Gson();

    private StrictJson() {}

    /**
     * Checks that this class works with the application's Gson.
     *
     * @throws IllegalStateException if Gson is missing or older than 2.10
     */
    public static void requireGson() {
        Libraries.use("Realtime", "com.google.code.gson:gson 2.10 or newer", () -> read("1", TypeToken.get(int.class)));
    }

    /**
     * Reads one value, which must be the whole text; null if it is JSON's null.
     *
     * @throws JsonSyntaxException if the text is not JSON, nests deeper than {@link Json#MAX_NESTING_FROM_SERVER}, or
     *     does not fit the type
     */
    public static <T> @Nullable T read(String text, TypeToken<T> type) {
        JsonScanner scanner = new JsonScanner(text, Json.MAX_NESTING_FROM_SERVER);
        try {
            scanner.value();
        } catch (JsonScanner.NotJsonException malformed) {
            throw new JsonSyntaxException("no JSON (RFC 8259)", malformed);
        }
        if (!scanner.isAtEnd()) {
            throw new JsonSyntaxException("more than one value");
        }
        return GSON.fromJson(text, type);
    }
}
