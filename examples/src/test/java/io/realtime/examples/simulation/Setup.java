package io.realtime.examples.simulation;

import io.realtime.Heartbeat;
import io.realtime.server.Limits;
import io.realtime.server.PresenceRule;
import io.realtime.server.RateLimit;
import io.realtime.server.Retention;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** How the server and the clients of one seed are configured: mostly generous, sometimes so tight that bounds are met. */
record Setup(
        int clients,
        int plainClients,
        boolean isCrowded,
        int steps,
        List<String> rooms,
        Retention retention,
        Retention inboxRetention,
        Limits limits,
        Heartbeat heartbeat,
        Duration sessionTtl,
        int outboxMessages,
        int longestHandlerMs,
        boolean handlersBlock,
        boolean tokensExpire,
        boolean filesKept,
        boolean reloads,
        boolean restless,
        boolean rulesFail,
        boolean switches,
        boolean moves,
        boolean pauses,
        boolean lags,
        int threads,
        boolean rejects,
        boolean clientsAreBusy,
        @Nullable PresenceRule presence) {
    private static final Retention ALL = new Retention(100_000, Duration.ofHours(1));

    static Setup of(Random random) {
        Retention retention = random.nextInt(3) == 0
                ? new Retention(1 + random.nextInt(20), Duration.ofSeconds(1 + random.nextInt(60)))
                : ALL;
        Retention inbox = random.nextInt(4) == 0 ? new Retention(1 + random.nextInt(20), Duration.ofHours(1)) : ALL;
        List<String> rooms = new ArrayList<>(List.of("chat:1", "chat:2"));
        boolean fewRooms = random.nextInt(4) == 0;
        boolean manyRooms = !fewRooms && random.nextInt(40) == 0;
        int mostRooms = random.nextInt(4) == 0 ? 1_200 : 300;
        int count = fewRooms ? 5 : manyRooms ? 50 + random.nextInt(mostRooms - 50) : 2;
        boolean isCrowded = random.nextInt(100) == 0;
        String tail = manyRooms ? ":" + "n".repeat(random.nextInt(240)) : "";
        for (int i = 3; i <= count; i++) {
            rooms.add("chat:" + i + tail);
        }
        Duration[] ttls = {Duration.ofMillis(500), Duration.ofSeconds(10), Duration.ofMinutes(5)};
        return new Setup(
                2 + random.nextInt(3),
                isCrowded ? 100 + random.nextInt(200) : random.nextInt(3),
                isCrowded,
                100 + random.nextInt(200),
                List.copyOf(rooms),
                retention,
                inbox,
                limits(
                        random,
                        manyRooms ? 16 * 1024 : 1024,
                        manyRooms || isCrowded
                                ? 4_000_000
                                : 40_000, // rooms and members cost as well, and are not evicted
                        fewRooms ? 1 + random.nextInt(3) : rooms.size() + Simulation.SHARED.size()),
                new Heartbeat(Duration.ofSeconds(2), Duration.ofSeconds(5)),
                ttls[random.nextInt(ttls.length)],
                random.nextInt(5) == 0 ? 10 : 10_000,
                1 + random.nextInt(3_000),
                random.nextInt(3) == 0,
                random.nextInt(5) == 0,
                random.nextInt(3) == 0,
                random.nextInt(3) == 0,
                random.nextInt(80) == 0 && !manyRooms,
                random.nextInt(4) == 0,
                random.nextInt(8) == 0,
                random.nextInt(4) == 0,
                random.nextInt(4) == 0,
                random.nextInt(4) == 0,
                random.nextInt(4) == 0 ? 1 + random.nextInt(4) : 0,
                random.nextInt(6) == 0,
                random.nextInt(6) == 0,
                random.nextInt(3) == 0 ? null : presence(random));
    }

    private static PresenceRule presence(Random random) {
        return PresenceRule.forRooms("chat:1", "chat:2", "shared:")
                .withGrace(Duration.ofMillis(random.nextInt(3) * 2_000L))
                .withMostMembers(random.nextInt(2) == 0 ? 1_000 : 1 + random.nextInt(5))
                .withInterval(Duration.ofMillis(10 + random.nextInt(500)));
    }

    /** Returns whether clients ask who is in a room. */
    boolean hasPresence(String room) {
        return presence != null && presence.covers(room);
    }

    private static Limits limits(Random random, int messageBytes, int logBytes, int roomsPerSession) {
        int inflight = 1 + random.nextInt(20);
        boolean isSlim =
                random.nextInt(3) == 0; // a burst of what others say cuts a client off, and it has to come back
        return Limits.builder()
                .inflight(inflight)
                .mailbox(2 * inflight + 10 + random.nextInt(50)) // for what a client says beside its messages
                .messageBytes(messageBytes)
                .outboundBytes(isSlim ? 2 * messageBytes : 1 << 20)
                .logBytes(random.nextInt(4) == 0 ? logBytes + random.nextInt(logBytes) : 1 << 30)
                .ratePerSession(rate(random))
                .ratePerUser(rate(random))
                .resumptionsPerSession(
                        random.nextInt(4) == 0 && !isSlim
                                ? RateLimit.perMinute(1 + random.nextInt(20))
                                : RateLimit.none())
                .roomsPerSession(roomsPerSession)
                .build();
    }

    private static RateLimit rate(Random random) {
        return random.nextInt(4) == 0
                ? RateLimit.perSecond(4 + random.nextInt(20)).withBurst(1 + random.nextInt(20))
                : RateLimit.none();
    }

    /** Returns whether a client may find itself outside a room that it has asked for. */
    boolean joinsAreRefused() {
        return hasTooManyRooms() || isNarrow() || rulesFail || moves || pauses; // in a pause a rule's time may run out
    }

    /** Returns whether a user's sessions, those of clients that died too, may be in more rooms than the logs have space for. */
    private boolean isNarrow() {
        return limits.logBytes() < 1 << 20;
    }

    /** Returns whether there are more rooms than a session may be in. */
    boolean hasTooManyRooms() {
        return limits.roomsPerSession() < rooms.size();
    }

    /** Returns whether everything that is published is kept. */
    boolean keepsAll() {
        return limits.logBytes() == 1 << 30;
    }

    /** Returns whether no connection is ever too full for what it is sent. */
    boolean isWide() {
        return limits.outboundBytes() == 1 << 20;
    }
}
