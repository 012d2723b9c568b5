package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.when;

import io.realtime.server.ServerHealth.Reason;
import io.realtime.server.ServerHealth.Status;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What makes a server DEGRADED or DOWN, just below the threshold and at it. */
class HealthTest extends ChatServerFixture {
    private void assertHealth(Status status, String... codes) {
        ServerHealth health = test.server.health();
        assertEquals(status, health.status(), health.toString());
        assertEquals(List.of(codes), health.reasons().stream().map(Reason::code).toList(), health.toString());
    }

    @Test
    void serverIsDownUnlessItRuns() {
        assertHealth(Status.UP);
        test.server.close(Duration.ZERO);
        assertHealth(Status.DOWN, "closed");
        RealtimeServer fresh = RealtimeServer.builder()
                .anonymous()
                .transport(mock(ServerTransport.class))
                .build();
        assertEquals("not_started", fresh.health().reasons().get(0).code());
        fresh.close();
    }

    @Test
    void transportWithAProblemIsDown() {
        ServerTransport transport = mock(ServerTransport.class);
        try (RealtimeServer server = RealtimeServer.builder()
                .anonymous()
                .transport(transport)
                .build()
                .start()) {
            assertEquals(Status.UP, server.health().status());
            when(transport.problem()).thenReturn("no descriptors");
            assertEquals(
                    List.of(new Reason("listener", Status.DOWN, "no descriptors")),
                    server.health().reasons());
        }
    }

    @Test
    void handlersThatWaitDegradeAndAfterFiveSecondsAreDown() {
        TestPeer ann = test.plain("ann");
        test.executor.hold();
        ann.post("{'type':'say','data':{'text':'m'}}");
        test.time.advance(Duration.ofMillis(900));
        assertHealth(Status.UP);
        test.time.advance(Duration.ofMillis(2_100));
        assertHealth(Status.DEGRADED, "threads");
        test.time.advance(Duration.ofSeconds(4));
        assertHealth(Status.DOWN, "threads");
        test.release();
        test.time.advance(Duration.ofSeconds(2));
        assertHealth(Status.UP);
    }

    @Test
    void timerThatDoesNotRunDegradesAndThenIsDown() {
        StuckScheduler stuck = new StuckScheduler();
        try (RealtimeServer server = RealtimeServer.builder()
                .anonymous()
                .scheduler(stuck)
                .transport(mock(ServerTransport.class))
                .build()
                .start()) {
            stuck.millis = 1_999;
            assertEquals(Status.UP, server.health().status());
            stuck.millis = 2_000;
            assertEquals(
                    List.of(new Reason("timer", Status.DEGRADED, "timers run 1000 ms late")),
                    server.health().reasons());
            stuck.millis = 6_000;
            assertEquals(Status.DOWN, server.health().status());
        }
    }

    @Test
    void reachedLimitsDegrade() {
        start(builder -> builder.limits(
                Limits.builder().sessions(2).connections(2).rooms(1).build()));
        test.plain("ann");
        test.server.connections().room("chat:1").send(SAID, new Said("x", "y"));
        assertHealth(Status.DEGRADED, "rooms");
        test.plain("bob");
        assertHealth(Status.DEGRADED, "connections", "sessions", "rooms");
        assertEquals(
                "limits.connections, 2, is reached",
                test.server.health().reasons().get(0).text());
    }

    @Test
    void roomsThatFillTheirHalfOfTheBudgetDegrade() {
        start(builder -> builder.limits(Limits.builder().logBytes(100_000).build()));
        test.plain("ann");
        Session ann = session("ann");
        for (int i = 0; test.server.health().status() == Status.UP && i < 1_000; i++) {
            ann.join("chat:" + i);
        }
        assertHealth(Status.DEGRADED, "memory");
    }

    /** A scheduler whose timers never run. */
    private static final class StuckScheduler implements Scheduler {
        private volatile long millis;

        @Override
        public long nanoTime() {
            return Duration.ofMillis(millis).toNanos();
        }

        @Override
        public long currentTimeMillis() {
            return millis;
        }

        @Override
        public Cancellable schedule(Duration delay, Runnable task) {
            return () -> {};
        }
    }
}
