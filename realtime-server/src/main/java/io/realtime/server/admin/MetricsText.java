package io.realtime.server.admin;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.server.ServerHealth;
import io.realtime.server.ServerStats;
import io.realtime.server.ServerStats.Times;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** Statistics in the text format of Prometheus, version 0.0.4. */
final class MetricsText {
    static final String TYPE = "text/plain; version=0.0.4; charset=utf-8";

    // A series that begins with its first event hides this event from rate().
    private static final Set<String> CAUSES = Set.of("draining", "limit", "origin", "path", "subprotocol");
    private static final Set<String> CODES = Stream.of(
                    ErrorCode.BAD_DATA,
                    ErrorCode.BAD_MESSAGE,
                    ErrorCode.FORBIDDEN,
                    ErrorCode.INTERNAL,
                    ErrorCode.NO_HANDLER,
                    ErrorCode.OVERLOADED,
                    ErrorCode.RATE_LIMITED,
                    ErrorCode.TOO_BIG)
            .map(ErrorCode::value)
            .collect(Collectors.toUnmodifiableSet());
    private static final Set<Integer> CLOSES = Set.of(
            CloseReason.NORMAL,
            CloseReason.GOING_AWAY,
            CloseReason.ABNORMAL,
            CloseReason.UNAUTHORIZED,
            CloseReason.INTERNAL_ERROR,
            CloseReason.PROTOCOL_ERROR,
            CloseReason.OVERLOADED,
            CloseReason.RATE_LIMITED,
            CloseReason.SLOW_CONSUMER,
            CloseReason.HEARTBEAT_TIMEOUT);

    private final StringBuilder out = new StringBuilder(4096);
    private String name = "";

    private MetricsText() {}

    static String of(ServerStats stats, ServerHealth health) {
        MetricsText text = new MetricsText();
        text.gauge("health", "The server's status: 1 for the one that it has.");
        for (ServerHealth.Status status : ServerHealth.Status.values()) {
            text.value("status", status.name().toLowerCase(Locale.ROOT), health.status() == status ? 1 : 0);
        }
        text.now(stats);
        text.sinceTheBeginning(stats);
        text.times("queue_wait", "Time from the receipt of a message until it is handled.", stats.queueWait());
        text.times("handler_time", "Time that handlers of messages ran on their threads.", stats.handlerTime());
        return text.out.toString();
    }

    private void now(ServerStats stats) {
        gauge("connections", "Open connections.").value(stats.connections());
        gauge("sessions", "Sessions, with a connection or kept without one.")
                .value("state", "online", stats.online())
                .value("state", "kept", stats.kept());
        gauge("users", "Users with a session.").value(stats.users());
        gauge("rooms", "Rooms with members or a log, inboxes included.").value(stats.rooms());
        gauge("log_bytes", "Heap that rooms, their members and logs take.").value(stats.logBytes());
        gauge("clients", "Client instances with a client record.").value(stats.clients());
        gauge("messages_waiting", "Messages received and not handled.").value(stats.waiting());
        gauge("handlers", "Handlers and callbacks that run, and those that wait for a thread.")
                .value("state", "busy", stats.handlersBusy())
                .value("state", "waiting", stats.handlersWaiting());
    }

    private void sinceTheBeginning(ServerStats stats) {
        ServerStats.Traffic traffic = stats.traffic();
        counter("connections_opened_total", "Connections whose upgrade was accepted.")
                .value(traffic.connections());
        counter("connections_refused_total", "Connections refused before they were open.")
                .values("cause", CAUSES, stats.refusedConnections());
        counter("connections_closed_total", "Connections that have closed.").values("code", CLOSES, stats.closes());
        counter("slow_consumers_total", "Connections closed because the peer read too slowly.")
                .value(stats.slowConsumers());
        counter("messages_total", "Messages received, and handed to connections.")
                .value("direction", "in", traffic.messagesIn())
                .value("direction", "out", traffic.messagesOut());
        counter("message_bytes_total", "Bytes of these messages.")
                .value("direction", "in", traffic.bytesIn())
                .value("direction", "out", traffic.bytesOut());
        counter("messages_refused_total", "Messages answered with an error.")
                .values("code", CODES, stats.refusedMessages());
        counter("replays_total", "Positions from which a log was sent again.")
                .value(stats.recovery().replays());
        counter("messages_replayed_total", "Messages sent from logs.")
                .value(stats.recovery().replayedMessages());
        counter("gaps_total", "Gaps that clients were told of.")
                .value(stats.recovery().gaps());
        counter("sessions_evicted_total", "Sessions ended to make room for others.")
                .value(stats.evictions().sessions());
        counter("messages_evicted_total", "Messages that logs dropped to keep their budget.")
                .value(stats.evictions().messages());
        counter("tasks_rejected_total", "Tasks that an executor rejected at first.")
                .value(stats.rejections());
    }

    private void times(String metric, String help, Times times) {
        begin(metric + "_seconds", "summary", help);
        value("quantile", "0.5", seconds(times.p50()));
        value("quantile", "0.95", seconds(times.p95()));
        value("quantile", "0.99", seconds(times.p99()));
        value("quantile", "1", seconds(times.max()));
        out.append(name).append("_sum ").append(seconds(times.total())).append('\n');
        out.append(name).append("_count ").append(times.count()).append('\n');
    }

    private static double seconds(Duration time) {
        return time.toNanos() / 1e9;
    }

    private MetricsText gauge(String metric, String help) {
        return begin(metric, "gauge", help);
    }

    private MetricsText counter(String metric, String help) {
        return begin(metric, "counter", help);
    }

    private MetricsText begin(String metric, String type, String help) {
        name = "realtime_" + metric;
        out.append("# HELP ").append(name).append(' ').append(help).append('\n');
        out.append("# TYPE ").append(name).append(' ').append(type).append('\n');
        return this;
    }

    private void value(long value) {
        out.append(name).append(' ').append(value).append('\n');
    }

    /** @param of needs no escaping: a word, a code or a number */
    private MetricsText value(String label, String of, Number value) {
        out.append(name).append('{').append(label).append("=\"").append(of).append("\"} ");
        out.append(value).append('\n');
        return this;
    }

    /** @param known are written even if they are 0 */
    private <K extends Comparable<K>> void values(String label, Set<K> known, Map<K, Long> values) {
        Map<K, Long> all = new TreeMap<>(values);
        known.forEach(of -> all.putIfAbsent(of, 0L));
        all.forEach((of, value) -> value(label, of.toString(), value));
    }
}
