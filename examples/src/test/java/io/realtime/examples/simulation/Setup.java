package io.realtime.examples.simulation;

import io.realtime.Heartbeat;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.Retention;
import java.time.Duration;
import java.util.Random;

/** How the server and the clients of one seed are configured: mostly generous, sometimes so tight that bounds are met. */
record Setup(
        int clients,
        int steps,
        Retention retention,
        Retention inboxRetention,
        Limits limits,
        Heartbeat heartbeat,
        Duration sessionTtl,
        int outboxMessages,
        int longestHandlerMs,
        boolean tokensExpire,
        boolean filesKept,
        boolean reloads) {
    private static final Retention ALL = new Retention(100_000, Duration.ofHours(1));

    static Setup of(Random random) {
        boolean tight = random.nextInt(3) == 0;
        Retention retention =
                tight ? new Retention(1 + random.nextInt(20), Duration.ofSeconds(1 + random.nextInt(60))) : ALL;
        Retention inbox = random.nextInt(4) == 0 ? new Retention(1 + random.nextInt(20), Duration.ofHours(1)) : ALL;
        int messageBytes = 1024;
        int inflight = 1 + random.nextInt(20);
        Limits limits = Limits.builder()
                .inflight(inflight)
                .mailbox(inflight + random.nextInt(50))
                .messageBytes(messageBytes)
                .outboundBytes(random.nextInt(3) == 0 ? 2 * messageBytes : 1 << 20)
                .logBytes(random.nextInt(4) == 0 ? 40_000 + random.nextInt(40_000) : 1 << 30)
                .rate(
                        random.nextInt(4) == 0
                                ? RateLimit.perSecond(5 + random.nextInt(50)).withBurst(1 + random.nextInt(20))
                                : RateLimit.none())
                .resumptionsPerSession(
                        random.nextInt(4) == 0 ? RateLimit.perMinute(1 + random.nextInt(20)) : RateLimit.none())
                .build();
        Duration[] ttls = {Duration.ofMillis(500), Duration.ofSeconds(10), Duration.ofMinutes(5)};
        return new Setup(
                2 + random.nextInt(3),
                100 + random.nextInt(200),
                retention,
                inbox,
                limits,
                new Heartbeat(Duration.ofSeconds(2), Duration.ofSeconds(5)),
                ttls[random.nextInt(ttls.length)],
                random.nextInt(5) == 0 ? 10 : 10_000,
                1 + random.nextInt(3_000),
                random.nextInt(5) == 0,
                random.nextInt(3) == 0,
                random.nextInt(3) == 0);
    }
}
