package io.realtime.server.admin;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import io.realtime.Position;
import io.realtime.server.Admin.SessionInfo;
import io.realtime.server.Member;
import io.realtime.server.RoomSummary;
import io.realtime.server.ServerHealth;
import io.realtime.server.ServerStats;
import io.realtime.server.ServerStats.Times;
import java.time.Duration;
import java.util.Collection;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The JSON of the admin endpoints. Times are seconds, and moments are in ISO 8601. */
final class AdminJson {
    private AdminJson() {}

    static JsonObject of(ServerHealth health) {
        JsonObject json = new JsonObject();
        json.addProperty("status", health.status().name());
        json.add("reasons", array(health.reasons(), reason -> {
            JsonObject one = new JsonObject();
            one.addProperty("code", reason.code());
            one.addProperty("status", reason.status().name());
            one.addProperty("text", reason.text());
            return one;
        }));
        return json;
    }

    static JsonObject of(ServerStats stats) {
        JsonObject json = new JsonObject();
        json.addProperty("connections", stats.connections());
        json.addProperty("sessions", stats.sessions());
        json.addProperty("online", stats.online());
        json.addProperty("kept", stats.kept());
        json.addProperty("users", stats.users());
        json.addProperty("rooms", stats.rooms());
        json.addProperty("logBytes", stats.logBytes());
        json.addProperty("clients", stats.clients());
        json.addProperty("waiting", stats.waiting());
        json.addProperty("handlersBusy", stats.handlersBusy());
        json.addProperty("handlersWaiting", stats.handlersWaiting());
        json.addProperty("rejections", stats.rejections());
        JsonObject traffic = new JsonObject();
        traffic.addProperty("connections", stats.traffic().connections());
        traffic.addProperty("messagesIn", stats.traffic().messagesIn());
        traffic.addProperty("bytesIn", stats.traffic().bytesIn());
        traffic.addProperty("messagesOut", stats.traffic().messagesOut());
        traffic.addProperty("bytesOut", stats.traffic().bytesOut());
        json.add("traffic", traffic);
        JsonObject recovery = new JsonObject();
        recovery.addProperty("replays", stats.recovery().replays());
        recovery.addProperty("replayedMessages", stats.recovery().replayedMessages());
        recovery.addProperty("gaps", stats.recovery().gaps());
        json.add("recovery", recovery);
        JsonObject evictions = new JsonObject();
        evictions.addProperty("sessions", stats.evictions().sessions());
        evictions.addProperty("messages", stats.evictions().messages());
        json.add("evictions", evictions);
        json.addProperty("slowConsumers", stats.slowConsumers());
        json.add("refusedConnections", object(stats.refusedConnections()));
        json.add("refusedMessages", object(stats.refusedMessages()));
        json.add("closes", object(stats.closes()));
        json.add("queueWait", of(stats.queueWait()));
        json.add("handlerTime", of(stats.handlerTime()));
        return json;
    }

    private static JsonObject of(Times times) {
        JsonObject json = new JsonObject();
        json.addProperty("count", times.count());
        json.addProperty("total", seconds(times.total()));
        json.addProperty("p50", seconds(times.p50()));
        json.addProperty("p95", seconds(times.p95()));
        json.addProperty("p99", seconds(times.p99()));
        json.addProperty("max", seconds(times.max()));
        return json;
    }

    private static double seconds(Duration time) {
        return time.toNanos() / 1e9;
    }

    static JsonObject of(RoomSummary room) {
        JsonObject json = of(room.end());
        json.addProperty("name", room.name());
        json.addProperty("members", room.members());
        json.addProperty("messages", room.messages());
        json.addProperty("bytes", room.bytes());
        return json;
    }

    static JsonObject of(@Nullable Position position) {
        JsonObject json = new JsonObject();
        if (position != null) {
            json.addProperty("epoch", position.epoch());
            json.addProperty("offset", position.offset());
        }
        return json;
    }

    static JsonObject of(Member member) {
        JsonObject json = new JsonObject();
        json.addProperty("session", member.sessionId());
        json.addProperty("user", member.userId());
        json.addProperty("connected", member.connected());
        json.addProperty("since", member.since().toString());
        json.add("tags", object(member.tags()));
        return json;
    }

    static JsonObject of(SessionInfo session) {
        JsonObject json = new JsonObject();
        json.addProperty("session", session.id());
        json.addProperty("user", session.user());
        json.addProperty("managed", session.managed());
        json.addProperty("connected", session.connected());
        json.addProperty("since", session.since().toString());
        json.addProperty("address", session.address());
        json.add("tags", object(session.tags()));
        JsonArray rooms = new JsonArray();
        session.rooms().forEach(rooms::add);
        json.add("rooms", rooms);
        return json;
    }

    static <T> JsonArray array(Collection<T> all, Function<? super T, JsonObject> one) {
        JsonArray array = new JsonArray();
        all.forEach(each -> array.add(one.apply(each)));
        return array;
    }

    private static JsonObject object(Map<?, ?> map) {
        JsonObject json = new JsonObject();
        map.forEach((name, value) -> {
            if (value instanceof Number number) {
                json.addProperty(name.toString(), number);
            } else {
                json.addProperty(name.toString(), value.toString());
            }
        });
        return json;
    }
}
