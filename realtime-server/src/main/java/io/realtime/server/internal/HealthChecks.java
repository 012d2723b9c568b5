package io.realtime.server.internal;

import io.realtime.server.Limits;
import io.realtime.server.ServerHealth;
import io.realtime.server.ServerHealth.Reason;
import io.realtime.server.ServerHealth.Status;
import io.realtime.server.internal.execution.Workers;
import io.realtime.spi.ServerTransport;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/** What makes a running server {@linkplain ServerHealth unhealthy}. Every check reads counters and returns at once. */
public final class HealthChecks {
    private static final Duration LONG = Duration.ofSeconds(1);
    private static final Duration TOO_LONG = Duration.ofSeconds(5);
    private static final double NEARLY_FULL = 0.95;

    private final ServerCore core;
    private final ServerTransport transport;
    private final Workers workers;
    private final Limits limits;

    public HealthChecks(ServerCore core, ServerTransport transport, Workers workers) {
        this.core = core;
        this.transport = transport;
        this.workers = workers;
        this.limits = core.context().limits();
    }

    /** Runs all checks. */
    public ServerHealth run() {
        List<Reason> found = new ArrayList<>();
        String listener = transport.problem();
        if (listener != null) {
            found.add(new Reason("listener", Status.DOWN, listener));
        }
        Workers.Wait wait = workers.longestWait();
        addTime(found, "threads", wait.time(), wait.text());
        Duration late = workers.timerDelay();
        addTime(found, "timer", late, "timers run " + late.toMillis() + " ms late");
        addCount(found, "connections", core.acceptor().connectionCount(), limits.connections());
        addCount(found, "sessions", core.table().sessionCount(), limits.sessions());
        addCount(found, "rooms", core.broker().namedRooms(), limits.rooms());
        double share = core.broker().placesShare();
        if (share >= NEARLY_FULL) {
            String text = "rooms and their members take " + (int) (100 * share) + " % of half of limits.logBytes, "
                    + limits.logBytes();
            found.add(new Reason("memory", Status.DEGRADED, text));
        }
        return ServerHealth.of(found);
    }

    private static void addTime(List<Reason> to, String code, Duration time, String text) {
        if (time.compareTo(LONG) >= 0) {
            boolean isTooLong = time.compareTo(TOO_LONG) >= 0;
            to.add(new Reason(code, isTooLong ? Status.DOWN : Status.DEGRADED, text));
        }
    }

    private static void addCount(List<Reason> to, String code, int count, int limit) {
        if (count >= limit) {
            to.add(new Reason(code, Status.DEGRADED, "limits." + code + ", " + limit + ", is reached"));
        }
    }
}
