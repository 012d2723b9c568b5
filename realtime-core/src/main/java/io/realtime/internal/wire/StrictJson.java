package io.realtime.internal.wire;

import com.google.gson.Gson;
import com.google.gson.JsonSyntaxException;
import com.google.gson.reflect.TypeToken;
import io.realtime.internal.Libraries;
import org.jspecify.annotations.Nullable;

/**
 * Reads JSON by RFC 8259 and nothing more lenient. Gson itself is that strict only since 2.11, and applications bring
 * versions from 2.10 on. Safe for use by many threads.
 */
public final class StrictJson {
    private static final Gson GSON = new Gson();

    private StrictJson() {}

    /**
     * Checks that this works with the Gson that the application brings.
     *
     * @throws IllegalStateException when it is older than 2.10, or there is none
     */
    public static void requireGson() {
        Libraries.use("Realtime", "com.google.code.gson:gson 2.10 or newer", () -> read("1", TypeToken.get(int.class)));
    }

    /**
     * Reads one value, which is the whole text; null when it is JSON's null.
     *
     * @throws JsonSyntaxException when the text is no JSON, nests deeper than {@link Json#MAX_NESTING_FROM_SERVER}, or does
     *     not fit the type
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
