package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.client.ConnectionState.Status;
import io.realtime.testing.InMemoryNetwork;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ClientReconnectTest {
    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    @Test
    void delaysGrowUntilAHealthyConnectionResetsThem() {
        world.connected();
        world.network.refuseConnections(true);
        world.network.cutAll();
        world.advance(16_000);
        List<Long> delays = new ArrayList<>();
        for (ConnectionState state : world.states) {
            if (state.status() == Status.WAITING) {
                delays.add(state.delay().toMillis());
            }
        }
        assertEquals(List.of(500L, 1_000L, 2_000L, 4_000L, 8_000L, 16_000L), delays);

        world.network.refuseConnections(false);
        world.advance(16_000);
        assertTrue(world.client().isConnected());
        world.advance(9_000);
        world.network.cutAll();
        world.settle();
        assertEquals(7, world.lastState().attempt());

        world.advance(30_000);
        world.advance(10_001);
        world.network.cutAll();
        world.settle();
        assertEquals(1, world.lastState().attempt());
        assertEquals(500, world.lastState().delay().toMillis());
    }

    @ParameterizedTest
    @CsvSource({
        "1000,CLOSED,-1",
        "1003,CLOSED,-1",
        "1010,CLOSED,-1",
        "4000,CLOSED,-1",
        "4003,CLOSED,-1",
        "4005,CLOSED,-1",
        "4006,CLOSED,-1",
        "4007,CLOSED,-1",
        "4099,CLOSED,-1",
        "1008,CLOSED,-1",
        "1009,WAITING,500",
        "1001,WAITING,500",
        "1002,WAITING,500",
        "1007,WAITING,500",
        "1005,WAITING,500",
        "1011,WAITING,500",
        "1013,WAITING,500",
        "1014,WAITING,500",
        "4100,WAITING,500",
        "4102,WAITING,500",
        "4199,WAITING,500",
        "3000,WAITING,500",
        "4499,WAITING,500",
        "4500,CLOSED,-1",
        "4999,CLOSED,-1",
        "1012,WAITING,0",
        "4200,WAITING,0",
        "4299,WAITING,0",
        "4300,WAITING,0",
        "4399,WAITING,0"
    })
    void followsTheCloseCode(int code, Status status, long delay) {
        world.connected();
        world.states.clear();
        world.peer().close(code);
        world.settle();

        ConnectionState after = world.states.get(0);
        assertEquals(status, after.status());
        assertNotNull(after.reason());
        assertEquals(code, after.reason().code());
        if (status == Status.WAITING) {
            assertEquals(delay, after.delay().toMillis());
            world.advance(1_000);
            assertTrue(world.client().isConnected());
        } else {
            world.advance(60_000);
            assertEquals(1, world.peers.size());
        }
    }

    @Test
    void damagedFrameIsReportedAndClientReconnects() {
        world.connected();
        world.states.clear();
        world.network.links().get(0).damageNext(InMemoryNetwork.Direction.TO_CLIENT);
        world.peer().send("{'type':'$pong'}");
        world.settle();
        assertEquals(Status.WAITING, world.lastState().status());
        assertEquals(
                new CloseReason(1002, "reserved bit set"), world.lastState().reason());
        world.advance(1_000);
        assertTrue(world.client().isConnected());
    }

    @Test
    void damagedFrameIsNotExplainedByAnEarlierError() {
        world.connected();
        world.states.clear();
        world.network.links().get(0).damageNext(InMemoryNetwork.Direction.TO_CLIENT);
        world.peer().send("{'type':'$error','data':{'code':'kicked','message':'m','closeCode':4005}}");
        world.settle();
        assertEquals(Status.WAITING, world.lastState().status());
    }

    @Test
    void goodbyeSpreadsReconnectsOverItsWindow() {
        world.connected();
        world.peer().send("{'type':'$goodbye','data':{'retry':{'minMs':1000,'maxMs':5000}}}");
        world.peer().close(CloseReason.DRAINING);
        world.settle();
        assertEquals(3_000, world.lastState().delay().toMillis());
    }

    @Test
    void lostServerSpreadsReconnectsAsTheWelcomeSaid() {
        world.spreadMs = 20_000;
        world.connected();
        world.network.cutAll();
        world.settle();
        assertEquals(10_000, world.lastState().delay().toMillis());
    }

    @Test
    void repeatedGoodbyesAreRetriedWithBackoff() {
        world.onHello = peer -> {
            peer.welcome();
            peer.close(CloseReason.DRAINING);
        };
        var unused = world.client().connect();
        world.settle();
        assertEquals(2, world.peers.size());
        assertEquals(1_000, world.lastState().delay().toMillis());
    }

    @Test
    void reconnectNowDoesNotWait() {
        world.connected();
        world.network.cutAll();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        world.client().reconnectNow();
        world.settle();
        assertTrue(world.client().isConnected());
        assertEquals(2, world.peers.size());
    }

    @Test
    void changedNetworkGivesAnOpenConnectionFiveSeconds() {
        world.connected();
        world.client().networkChanged();
        world.advance(10_000);
        assertTrue(world.client().isConnected());

        world.network.blackHole(true);
        world.client().networkChanged();
        world.advance(4_999);
        assertTrue(world.client().isConnected());
        world.network.blackHole(false);
        world.advance(1);
        world.settle();
        assertEquals(2, world.peers.size());
    }

    @Test
    void changedNetworkBeginsAnAttemptAnew() {
        world.network.blackHole(true);
        var unused = world.client().connect();
        world.advance(5_000);
        world.network.blackHole(false);
        world.client().networkChanged();
        world.settle();
        assertTrue(world.client().isConnected());
    }

    @Test
    void burstOfNetworkChangesNeitherStarvesNorFloods() {
        AtomicInteger asked = new AtomicInteger();
        world.use(world.builder().token(() -> {
            CompletableFuture<String> token = new CompletableFuture<>();
            asked.incrementAndGet();
            world.time.schedule(Duration.ofMillis(50), () -> token.complete("token"));
            return token;
        }));
        var unused = world.client().connect();
        for (int i = 0; i < 500; i++) {
            world.client().networkChanged();
            world.advance(20);
        }
        assertTrue(world.client().isConnected());
        assertEquals(1, asked.get());
        assertEquals(1, world.peers.size());
    }

    @Test
    void networkChangesWithoutNetworkDialOnceASecond() {
        AtomicInteger asked = new AtomicInteger();
        world.use(world.builder().token(() -> {
            asked.incrementAndGet();
            return CompletableFuture.completedFuture("token");
        }));
        world.network.refuseConnections(true);
        var unused = world.client().connect();
        for (int i = 0; i < 500; i++) {
            world.client().networkChanged();
            world.advance(20);
        }
        assertTrue(asked.get() <= 15, asked + " tokens");
        world.network.refuseConnections(false);
        world.advance(1_020);
        assertTrue(world.client().isConnected());
    }

    @Test
    void repeatedNetworkChangesRestartAnAttemptOnce() {
        world.network.blackHole(true);
        var unused = world.client().connect();
        world.settle();
        world.client().networkChanged(); // dials anew
        world.settle();
        world.network.blackHole(false);
        world.advance(5_000);
        assertEquals(Status.CONNECTING, world.client().state().status());
        world.client().networkChanged();
        world.advance(4_900);
        assertEquals(Status.CONNECTING, world.client().state().status());
        world.advance(1_200);
        assertTrue(world.client().isConnected());
    }

    @Test
    void changesDuringAProbeProbeOnceMore() {
        world.connected();
        world.client().networkChanged();
        world.advance(2_000);
        world.network.blackHole(true); // after the pong
        world.client().networkChanged();
        world.advance(2_999);
        assertTrue(world.client().isConnected());
        world.advance(5_000);
        assertTrue(world.client().isConnected());
        world.network.blackHole(false);
        world.advance(2);
        assertFalse(world.client().isConnected());
        world.settle();
        assertEquals(2, world.peers.size());
    }

    @Test
    void silenceForTheTimeoutEndsTheConnection() {
        world.connected();
        world.advance(5 * 60_000); // pings keep it alive
        assertEquals(1, world.peers.size());
        world.peer().send("{'type':'$pong'}");
        world.advance(1); // heard now
        world.network.blackHole(true);
        world.advance(59_999);
        assertTrue(world.client().isConnected());
        world.advance(1);
        assertEquals(Status.WAITING, world.client().state().status());
        assertNotNull(world.lastState().reason());
        assertEquals(CloseReason.HEARTBEAT_TIMEOUT, world.lastState().reason().code());
    }

    @Test
    void everyStateIsReportedOnce() {
        world.connected();
        world.network.cutAll();
        world.advance(1_000);
        world.client().disconnect();
        world.client().disconnect();
        world.settle();
        assertEquals(List.of("CONNECTING", "OPEN", "WAITING", "CONNECTING", "OPEN", "CLOSED"), world.statuses());
    }
}
