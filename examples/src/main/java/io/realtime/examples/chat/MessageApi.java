package io.realtime.examples.chat;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import com.google.gson.Strictness;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpHandler;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.examples.chat.MessageStore.Stored;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Function;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * {@code POST /api/messages}: stores a message. It answers 201 with the message, or 200 if it was stored before. An
 * error is a problem of RFC 9457 with the member {@code code}, the same code as over the WebSocket.
 */
final class MessageApi implements HttpHandler {
    private static final Logger LOG = LoggerFactory.getLogger(MessageApi.class);
    private static final int MAX_BODY = 32_768;
    private static final int PER_SECOND = 20;
    static final int BURST = 40;
    private static final Gson GSON = new GsonBuilder()
            .setStrictness(Strictness.STRICT)
            .disableHtmlEscaping()
            .create();
    private static final Map<ErrorCode, Integer> STATUSES = Map.of(
            ErrorCode.BAD_DATA, 400,
            ErrorCode.FORBIDDEN, 403,
            ChatError.CONFLICT, 409,
            ErrorCode.OVERLOADED, 503,
            ChatError.UNAVAILABLE, 503);
    private static final Map<Integer, String> TITLES = Map.of(
            400, "Bad Request",
            401, "Unauthorized",
            403, "Forbidden",
            405, "Method Not Allowed",
            409, "Conflict",
            413, "Content Too Large",
            415, "Unsupported Media Type",
            429, "Too Many Requests",
            500, "Internal Server Error",
            503, "Service Unavailable");

    private final ChatService service;
    private final Function<String, @Nullable String> userOf;
    private final UserRates rates;

    /** @param userOf returns the user of a token, or null if the token is not valid */
    MessageApi(ChatService service, Function<String, @Nullable String> userOf, LongSupplier nanoTime) {
        this.service = service;
        this.userOf = userOf;
        this.rates = new UserRates(PER_SECOND, BURST, nanoTime);
    }

    /** The body: a text for a room, {@code chat:lobby}, or for a user, {@code @bob}. */
    private record NewMessage(
            @Nullable String conversation,
            @Nullable String id,
            @Nullable String text) {}

    /** Why a request is refused. */
    private static final class Refused extends Exception {
        private static final long serialVersionUID = 1;

        final int status;
        final String code;

        Refused(int status, String code, String detail) {
            super(detail);
            this.status = status;
            this.code = code;
        }
    }

    @Override
    public void handle(HttpExchange exchange) throws IOException {
        try {
            Stored stored = post(exchange);
            answer(exchange, stored.isNew() ? 201 : 200, "application/json", stored.message());
        } catch (Refused refused) {
            problem(exchange, refused.status, refused.code, String.valueOf(refused.getMessage()));
        } catch (RealtimeException failure) {
            int status = STATUSES.getOrDefault(failure.code(), 500);
            if (status == 503) {
                exchange.getResponseHeaders().set("Retry-After", "1");
            }
            problem(exchange, status, failure.code().toString(), failure.getMessage());
        } catch (RuntimeException mistake) {
            LOG.error("POST /api/messages failed", mistake);
            problem(exchange, 500, "internal", "the message was not stored");
        }
    }

    private Stored post(HttpExchange exchange) throws IOException, Refused {
        if (!exchange.getRequestMethod().equals("POST")) {
            exchange.getResponseHeaders().set("Allow", "POST");
            throw new Refused(405, "bad_method", exchange.getRequestMethod() + " is not for this address");
        }
        String author = author(exchange);
        long wait = rates.take(author);
        if (wait > 0) {
            exchange.getResponseHeaders().set("Retry-After", Long.toString((wait + 999) / 1000));
            throw new Refused(429, "rate_limited", "more than " + PER_SECOND + " messages a second");
        }
        // A page of another origin can send this type only after a preflight request, which nobody answers.
        String type = exchange.getRequestHeaders().getFirst("Content-Type");
        if (type == null || !type.startsWith("application/json")) {
            throw new Refused(415, "bad_type", "the body must be application/json");
        }
        NewMessage message = body(exchange);
        return service.post(Conversation.named(message.conversation(), author), author, message.id(), message.text());
    }

    private String author(HttpExchange exchange) throws Refused {
        String header = exchange.getRequestHeaders().getFirst("Authorization");
        String user = header != null && header.startsWith("Bearer ")
                ? userOf.apply(header.substring("Bearer ".length()))
                : null;
        if (user == null) {
            exchange.getResponseHeaders().set("WWW-Authenticate", "Bearer");
            throw new Refused(401, "unauthorized", "a valid token is required: Authorization: Bearer …");
        }
        return user;
    }

    private static NewMessage body(HttpExchange exchange) throws IOException, Refused {
        byte[] body = exchange.getRequestBody().readNBytes(MAX_BODY + 1);
        if (body.length > MAX_BODY) {
            throw new Refused(413, "too_big", "the body is longer than " + MAX_BODY + " bytes");
        }
        try {
            String json = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(body))
                    .toString();
            NewMessage message = GSON.fromJson(json, NewMessage.class);
            if (message != null) {
                return message;
            }
        } catch (JsonParseException | CharacterCodingException malformed) {
            // Answered below.
        }
        throw new Refused(400, "bad_data", "the body is not {\"conversation\": …, \"id\": …, \"text\": …}");
    }

    private static void problem(HttpExchange exchange, int status, String code, String detail) throws IOException {
        Map<String, Object> problem = new LinkedHashMap<>();
        problem.put("type", "about:blank");
        problem.put("title", TITLES.getOrDefault(status, "Error"));
        problem.put("status", status);
        problem.put("detail", detail);
        problem.put("code", code);
        answer(exchange, status, "application/problem+json", problem);
    }

    private static void answer(HttpExchange exchange, int status, String type, Object body) throws IOException {
        byte[] bytes = GSON.toJson(body).getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", type);
        boolean head = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(status, head ? -1 : bytes.length);
        if (!head) {
            exchange.getResponseBody().write(bytes);
        }
    }
}
