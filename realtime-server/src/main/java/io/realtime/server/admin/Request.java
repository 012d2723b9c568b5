package io.realtime.server.admin;

import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.reflect.TypeToken;
import com.sun.net.httpserver.HttpExchange;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.MalformedException;
import io.realtime.internal.wire.StrictJson;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** A request: the parts of its path, its query and its body, each checked when it is asked for. */
final class Request {
    static final int MOST_URI = 4_096;
    static final int MOST_BODY = 1 << 20;
    private static final TypeToken<JsonObject> OBJECT = TypeToken.get(JsonObject.class);

    private final HttpExchange exchange;
    private final List<String> path;

    /**
     * Reads the path.
     *
     * @throws Problem if it is too long, or not UTF-8 in percent-encoding
     */
    Request(HttpExchange exchange) throws Problem {
        this.exchange = exchange;
        String raw = exchange.getRequestURI().getRawPath();
        String query = exchange.getRequestURI().getRawQuery();
        if (raw == null) {
            throw new Problem(404, "not_found", "there is nothing here");
        }
        if (raw.length() + (query == null ? 0 : query.length()) > MOST_URI) {
            throw new Problem(414, "too_long", "path and query are longer than " + MOST_URI + " characters");
        }
        String context = exchange.getHttpContext().getPath();
        String base = context.endsWith("/") ? context.substring(0, context.length() - 1) : context;
        if (!raw.startsWith(base + "/")) {
            throw new Problem(404, "not_found", "there is nothing here");
        }
        List<String> parts = new ArrayList<>();
        for (String part : raw.substring(base.length() + 1).split("/", -1)) {
            parts.add(decode(part));
        }
        this.path = List.copyOf(parts);
    }

    String method() {
        return exchange.getRequestMethod();
    }

    /** Returns the segments of the path after the place where the handler is mounted, decoded. */
    List<String> path() {
        return path;
    }

    /**
     * Returns the parameters of the query.
     *
     * @throws Problem if one is repeated, or none of these
     */
    Map<String, String> query(Set<String> known) throws Problem {
        Map<String, String> found = new HashMap<>();
        String raw = exchange.getRequestURI().getRawQuery();
        for (String pair : raw == null || raw.isEmpty() ? new String[0] : raw.split("&", -1)) {
            int equals = pair.indexOf('=');
            String name = decode(equals < 0 ? pair : pair.substring(0, equals));
            String value = equals < 0 ? "" : decode(pair.substring(equals + 1).replace('+', ' '));
            if (!known.contains(name) || found.put(name, value) != null) {
                throw new Problem(400, "bad_query", "the query may hold each of " + known + " once");
            }
        }
        return found;
    }

    private static String decode(String encoded) throws Problem {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream(encoded.length());
        for (int i = 0; i < encoded.length(); i++) {
            char c = encoded.charAt(i);
            if (c == '%') {
                int high = i + 2 < encoded.length() ? Character.digit(encoded.charAt(i + 1), 16) : -1;
                int low = i + 2 < encoded.length() ? Character.digit(encoded.charAt(i + 2), 16) : -1;
                if (high < 0 || low < 0) {
                    throw new Problem(400, "bad_uri", "the address holds a % that begins no escape");
                }
                bytes.write(16 * high + low);
                i += 2;
            } else {
                bytes.writeBytes(String.valueOf(c).getBytes(StandardCharsets.UTF_8));
            }
        }
        return text(bytes.toByteArray(), "bad_uri", "the address is not UTF-8");
    }

    private static String text(byte[] bytes, String code, String detail) throws Problem {
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException unfit) {
            throw new Problem(400, code, detail);
        }
    }

    /**
     * An event to be sent.
     *
     * @param type its name
     * @param data its payload, as JSON
     * @param text the whole body
     */
    record NewEvent(String type, String data, String text) {}

    /**
     * Reads the body, {@code {"type": …, "data": …}}.
     *
     * @throws Problem if it is not such an event, or too long
     */
    NewEvent event() throws Problem, IOException {
        // A page of another origin can send this type only after a preflight request.
        if (!header("Content-Type").split(";", 2)[0].trim().equalsIgnoreCase("application/json")) {
            throw new Problem(415, "bad_type", "the body must be application/json");
        }
        String length = header("Content-Length");
        boolean isLong = length.matches("\\d{1,18}") && Long.parseLong(length) > MOST_BODY;
        byte[] body = isLong ? new byte[0] : exchange.getRequestBody().readNBytes(MOST_BODY + 1);
        if (isLong || body.length > MOST_BODY) {
            throw new Problem(413, "too_big", "the body is longer than " + MOST_BODY + " bytes");
        }
        String text = text(body, "bad_data", "the body is not UTF-8");
        try {
            Envelope envelope = Envelope.parse(text);
            JsonObject fields = StrictJson.read(text, OBJECT);
            if (fields != null && Set.of("type", "data").containsAll(fields.keySet()) && !envelope.isProtocol()) {
                return new NewEvent(
                        envelope.type(), fields.has("data") ? fields.get("data").toString() : "null", text);
            }
        } catch (MalformedException | JsonParseException unfit) {
            throw new Problem(400, "bad_data", "the body is not {\"type\": …, \"data\": …}: " + unfit.getMessage());
        }
        throw new Problem(400, "bad_data", "the body may hold type and data only, and the type must not begin with $");
    }

    /**
     * Returns the value of a header; empty if it is absent.
     *
     * @throws Problem if there are two: a proxy may have checked the other one
     */
    String header(String name) throws Problem {
        List<String> values = exchange.getRequestHeaders().getOrDefault(name, List.of());
        if (values.size() > 1) {
            throw new Problem(400, "bad_header", "there is more than one header " + name);
        }
        return values.isEmpty() ? "" : values.get(0);
    }
}
