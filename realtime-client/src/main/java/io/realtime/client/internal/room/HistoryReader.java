package io.realtime.client.internal.room;

import com.google.gson.JsonElement;
import io.realtime.ErrorCode;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.LogPage;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The open requests about rooms' logs. They end with their connection: the caller is told, and may ask again. Owned by
 * the scheduler's thread.
 */
public final class HistoryReader {
    /** How many requests may be open; the next is refused with {@code overloaded}. */
    public static final int MOST = 64;

    /** How long to wait for the answer. */
    static final Duration TIMEOUT = Duration.ofSeconds(30);

    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;
    private final Predicate<Outgoing> connection;
    private final Map<String, OpenRequest> open = new HashMap<>();
    private long lastRef;

    private record OpenRequest(
            String room, HistoryQuery query, CompletableFuture<HistoryPage> result, Scheduler.Cancellable timer) {}

    /** @param connection sends a frame; returns false when there is no connection, or it is full */
    public HistoryReader(CallbackDispatcher callbacks, Scheduler scheduler, Predicate<Outgoing> connection) {
        this.callbacks = callbacks;
        this.scheduler = scheduler;
        this.connection = connection;
    }

    public void ask(String room, HistoryQuery query, CompletableFuture<HistoryPage> result) {
        if (open.size() >= MOST) {
            callbacks.fail(result, failure(ErrorCode.OVERLOADED, MOST + " history requests are open"));
            return;
        }
        lastRef++;
        String ref = "h" + lastRef;
        Protocol.HistoryRequest data =
                new Protocol.HistoryRequest(offset(query.after()), offset(query.before()), query.limit());
        if (!connection.test(
                Outgoing.of(Protocol.HISTORY).ref(ref).room(room).data(data, Protocol.HistoryRequest.class))) {
            callbacks.fail(result, failure(ErrorCode.CONNECTION_LOST, "there is no connection to read history over"));
            return;
        }
        Scheduler.Cancellable timer = scheduler.schedule(TIMEOUT, () -> {
            open.remove(ref);
            callbacks.fail(result, failure(ErrorCode.TIMEOUT, "no history within " + TIMEOUT));
        });
        open.put(ref, new OpenRequest(room, query, result, timer));
    }

    private static @Nullable Long offset(@Nullable Position position) {
        return position == null ? null : position.offset();
    }

    private static RealtimeException failure(ErrorCode code, String message) {
        return new RealtimeException(code, message, true, null);
    }

    /** Handles an answer; does nothing when it answers none of these requests. */
    public void reply(Envelope answer) {
        OpenRequest request = answered(answer);
        if (request == null) {
            return;
        }
        try {
            callbacks.complete(request.result, page(request, answer.data(Protocol.History.class)));
        } catch (RealtimeException failure) {
            callbacks.fail(request.result, failure);
        }
    }

    /** Handles an error; does nothing when it answers none of these requests. */
    public void error(Envelope answer, RealtimeException failure) {
        OpenRequest request = answered(answer);
        if (request != null) {
            callbacks.fail(request.result, failure);
        }
    }

    private @Nullable OpenRequest answered(Envelope answer) {
        OpenRequest request = answer.ref() == null ? null : open.remove(answer.ref());
        if (request != null) {
            request.timer.cancel();
        }
        return request;
    }

    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
    private HistoryPage page(OpenRequest request, Protocol.History data) {
        if (data.epoch() == null || data.messages() == null) {
            throw new PayloadException("the server answered $history without a log");
        }
        HistoryQuery query = request.query;
        Position from = query.after() != null ? query.after() : query.before();
        if (from != null && !from.epoch().equals(data.epoch())) {
            throw new RealtimeException(
                    ErrorCode.of("epoch"), "room '" + request.room + "' has another log than that of " + from);
        }
        List<Envelope> messages = new ArrayList<>();
        for (JsonElement message : data.messages()) {
            messages.add(BinaryEnvelope.fromHistory(message));
        }
        return new LogPage(query, data, messages, callbacks.payloads(), callbacks::error);
    }

    /** Fails the open requests: the connection that was to answer them is gone. */
    public void fail(RealtimeException cause) {
        for (OpenRequest request : open.values()) {
            request.timer.cancel();
            callbacks.fail(request.result, cause);
        }
        open.clear();
    }

    /** Fails the open requests with a code after which their callers may ask again. */
    public void connectionLost() {
        fail(failure(ErrorCode.CONNECTION_LOST, "the connection was lost before the history came"));
    }
}
