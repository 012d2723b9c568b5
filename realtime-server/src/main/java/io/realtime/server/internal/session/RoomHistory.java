package io.realtime.server.internal.session;

import io.realtime.ErrorCode;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.LogPage;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.room.RoomChannel;
import io.realtime.spi.WireMessage;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/** Reads the logs of rooms for the application. */
final class RoomHistory {
    private RoomHistory() {}

    /** Returns a page of a room's log, as {@code Room.history} describes it. */
    static CompletableFuture<HistoryPage> read(SessionContext context, String key, String name, HistoryQuery query) {
        Protocol.HistoryRequest request =
                new Protocol.HistoryRequest(offset(query.after()), offset(query.before()), query.limit());
        RoomChannel log = context.broker().find(key);
        Position end = context.broker().end(key);
        // Looked up again: a room that began meanwhile has taken its end.
        log = log == null ? context.broker().find(key) : log;
        RoomChannel.Page page = log == null
                ? RoomChannel.emptyPage(end, request)
                : log.page(null, request, context.limits().outboundBytes() / 4, Integer.MAX_VALUE);
        Position from = query.after() != null ? query.after() : query.before();
        if (from != null && !from.epoch().equals(page.epoch())) {
            return CompletableFuture.failedFuture(new RealtimeException(
                    ErrorCode.of("epoch"), "room '" + name + "' has another log than that of " + from));
        }
        List<Envelope> messages =
                page.messages().stream().map(RoomHistory::envelope).toList();
        Protocol.History answer = new Protocol.History(page.epoch(), List.of(), page.more(), page.next(), page.floor());
        return CompletableFuture.completedFuture(new LogPage(
                query,
                answer,
                messages,
                context.payloads(),
                unfit -> Steps.log(context.log(), "a message of room '" + name + "' does not fit its event", unfit)));
    }

    private static @Nullable Long offset(@Nullable Position position) {
        return position == null ? null : position.offset();
    }

    private static Envelope envelope(WireMessage frame) {
        return frame.isText() ? Envelope.parse(frame.asText()) : BinaryEnvelope.parse(frame.payload());
    }
}
