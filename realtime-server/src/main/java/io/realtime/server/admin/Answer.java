package io.realtime.server.admin;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/**
 * What a request is answered with.
 *
 * @param body empty for none
 * @param headers besides the content type
 */
record Answer(int status, String type, String body, Map<String, String> headers) {
    static final Answer NO_CONTENT = new Answer(204, "", "", Map.of());

    static Answer json(int status, JsonElement body) {
        return new Answer(status, "application/json", body.toString(), Map.of());
    }

    static Answer of(Problem problem, Map<String, String> headers) {
        JsonObject body = new JsonObject();
        body.addProperty("type", "about:blank");
        body.addProperty("title", problem.title());
        body.addProperty("status", problem.status);
        body.addProperty("detail", problem.detail);
        body.addProperty("code", problem.code);
        return new Answer(problem.status, "application/problem+json", body.toString(), headers);
    }

    Answer with(String header, String value) {
        return new Answer(status, type, body, Map.of(header, value));
    }

    byte[] bytes() {
        return body.getBytes(StandardCharsets.UTF_8);
    }
}
