package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.CloseReason;
import io.realtime.ConnectionException;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.client.ConnectionState.Status;
import io.realtime.spi.Scheduler;
import io.realtime.testing.HeldExecutor;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ClientConnectTest {
    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private static @Nullable Throwable failure(CompletableFuture<?> future) {
        assertTrue(future.isCompletedExceptionally());
        return assertThrows(ExecutionException.class, future::get).getCause();
    }

    @Test
    void connectCompletesAtTheWelcome() {
        assertEquals(Status.IDLE, world.client().state().status());
        CompletableFuture<Void> connected = world.client().connect();
        world.advance(3);
        assertFalse(connected.isDone());
        world.settle();

        assertTrue(connected.isDone() && !connected.isCompletedExceptionally());
        assertTrue(world.client().isConnected());
        assertEquals(List.of("CONNECTING", "OPEN"), world.statuses());
    }

    @Test
    void helloCarriesStableClientIdAndSessionOfLastWelcome() {
        world.connected();
        world.network.cutAll();
        world.advance(1000);

        String id = world.peers.get(0).hello().client();
        assertNotNull(id);
        assertTrue(id.length() >= 22, id);
        assertNull(world.peers.get(0).hello().session());
        assertEquals(id, world.peers.get(1).hello().client());
        assertEquals("secret-1", world.peers.get(1).hello().session());
        assertEquals(false, world.peers.get(1).hello().heartbeat());
    }

    @Test
    void attemptWithoutWelcomeEndsAtTheConnectTimeout() {
        world.onHello = peer -> {};
        var unused = world.client().connect();
        world.advance(9_999);
        assertEquals(Status.CONNECTING, world.client().state().status());
        world.advance(1);
        assertEquals(Status.WAITING, world.client().state().status());
        world.advance(10);
        assertNotNull(world.peer().closed);
    }

    @Test
    void networkThatAnswersNothingEndsAtTheConnectTimeout() {
        world.network.blackHole(true);
        var unused = world.client().connect();
        world.advance(10_000);
        assertEquals(Status.WAITING, world.client().state().status());
    }

    @Test
    void disconnectWhileConnectingStaysClosed() {
        CompletableFuture<Void> connected = world.client().connect();
        world.advance(1);
        world.client().disconnect();
        world.advance(60_000);

        assertEquals(List.of("CONNECTING", "CLOSED"), world.statuses());
        ConnectionException failure = (ConnectionException) failure(connected);
        assertNotNull(failure);
        assertEquals(ErrorCode.CLOSED, failure.code());
        assertEquals(0, world.network.connections());
    }

    @Test
    void connectAfterDisconnectWorks() {
        world.connected().disconnect();
        world.settle();
        world.connected();
        assertEquals(List.of("CONNECTING", "OPEN", "CLOSED", "CONNECTING", "OPEN"), world.statuses());
    }

    @Test
    void attemptsUsedUpFailTheConnect() {
        world.network.refuseConnections(true);
        world.use(world.builder()
                .backoff(Backoff.builder()
                        .jitter(Backoff.Jitter.NONE)
                        .maxAttempts(2)
                        .build()));
        CompletableFuture<Void> connected = world.client().connect();
        world.advance(60_000);

        assertEquals(
                List.of("CONNECTING", "WAITING", "CONNECTING", "WAITING", "CONNECTING", "CLOSED"), world.statuses());
        ConnectionException failure = (ConnectionException) failure(connected);
        assertNotNull(failure);
        assertEquals(CloseReason.ABNORMAL, failure.reason().code());
        assertTrue(failure.getMessage().contains("connection refused"), failure.getMessage());
    }

    @Test
    void tokenThatNeverComesIsAskedForAgainAfterItsTimeout() {
        List<CompletableFuture<String>> asked = new ArrayList<>();
        world.use(world.builder().tokenTimeout(Duration.ofSeconds(30)).token(() -> {
            CompletableFuture<String> never = new CompletableFuture<>();
            asked.add(never);
            return never;
        }));
        var unused = world.client().connect();
        world.advance(29_999);
        assertEquals(Status.CONNECTING, world.client().state().status());
        world.advance(1);
        assertEquals(Status.WAITING, world.client().state().status());
        assertEquals(ErrorCode.TIMEOUT, ((RealtimeException) world.errors.get(0)).code());
        world.client().reconnectNow();
        world.settle();
        assertEquals(2, asked.size());
        asked.get(0).complete("late");
        world.settle();
        assertEquals(0, world.peers.size());
        asked.get(1).complete("in time");
        world.settle();
        assertEquals("in time", world.peer().hello().token());
    }

    @Test
    void reconnectNowAsksForAPendingTokenAgainOnceASecond() {
        List<CompletableFuture<String>> asked = new ArrayList<>();
        world.use(world.builder().token(() -> {
            asked.add(new CompletableFuture<>());
            return asked.get(asked.size() - 1);
        }));
        var unused = world.client().connect();
        world.settle();
        for (int i = 0; i < 100; i++) {
            world.client().reconnectNow();
            world.advance(20);
        }
        assertTrue(asked.size() > 1 && asked.size() <= 4, asked.size() + " asked");
        asked.get(asked.size() - 1).complete("token");
        world.settle();
        assertTrue(world.client().isConnected());
        world.advance(2_000);
    }

    @Test
    void blockedCallbacksQueueNoTokenRequests() {
        HeldExecutor held = new HeldExecutor();
        AtomicInteger asked = new AtomicInteger();
        world.use(world.builder().callbackExecutor(held).token(() -> {
            asked.incrementAndGet();
            return CompletableFuture.completedFuture("token");
        }));
        var unused = world.client().connect();
        world.advance(10 * 60_000);
        held.runAll();
        assertTrue(asked.get() <= 1, asked + " asked");
        world.settle();
        held.runAll();
    }

    @Test
    void schedulerThatFailsClosesSoThatConnectWorksAgain() {
        FailingScheduler time = new FailingScheduler(world.time);
        world.use(world.builder().scheduler(time));
        world.connected();
        time.failsLong.set(true);
        world.network.cutAll();
        world.settle();
        assertEquals(Status.CLOSED, world.client().state().status());
        time.failsLong.set(false);
        world.connected();
    }

    /** Does not take what is not due at once, while told so. */
    private record FailingScheduler(ManualScheduler time, AtomicBoolean failsLong) implements Scheduler {
        FailingScheduler(ManualScheduler time) {
            this(time, new AtomicBoolean());
        }

        @Override
        public long nanoTime() {
            return time.nanoTime();
        }

        @Override
        public boolean await(CountDownLatch latch, Duration timeout) throws InterruptedException {
            return time.await(latch, timeout);
        }

        @Override
        public long currentTimeMillis() {
            return time.currentTimeMillis();
        }

        @Override
        public Cancellable schedule(Duration delay, Runnable task) {
            if (failsLong.get() && !delay.isZero()) {
                throw new RejectedExecutionException("no more timers");
            }
            return time.schedule(delay, task);
        }
    }

    @Test
    void tokenIsAskedBeforeEveryAttemptAndMayComeLater() {
        List<CompletableFuture<String>> asked = new ArrayList<>();
        world.use(world.builder().token(() -> {
            CompletableFuture<String> later = new CompletableFuture<>();
            asked.add(later);
            return later;
        }));
        var unused = world.client().connect();
        world.advance(59_000);
        assertEquals(0, world.peers.size());
        asked.get(0).complete("first");
        world.settle();
        assertEquals("first", world.peer().hello().token());

        world.network.cutAll();
        world.advance(1_000);
        asked.get(1).complete("second");
        world.settle();
        assertEquals("second", world.peer().hello().token());
        assertTrue(world.client().isConnected());
    }

    @Test
    void failingTokenProviderIsReportedAndAskedAgain() {
        List<String> tokens = new ArrayList<>();
        world.use(world.builder().token(() -> {
            tokens.add("asked");
            if (tokens.size() == 1) {
                throw new IllegalStateException("no network");
            }
            return CompletableFuture.completedFuture("token");
        }));
        var unused = world.client().connect();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        assertEquals("no network", world.errors.get(0).getMessage());
        world.advance(500);
        assertTrue(world.client().isConnected());
    }

    @Test
    void refusingTokenProviderCloses() {
        world.use(world.builder()
                .token(() -> CompletableFuture.supplyAsync(
                        () -> {
                            throw new CompletionException(new TokenRefusedException("logged out"));
                        },
                        Runnable::run)));
        CompletableFuture<Void> connected = world.client().connect();
        world.settle();

        RealtimeException failure = (RealtimeException) failure(connected);
        assertNotNull(failure);
        assertEquals(ErrorCode.UNAUTHORIZED, failure.code());
        assertEquals(Status.CLOSED, world.client().state().status());
        assertEquals(0, world.peers.size());
    }

    @Test
    void sameTokenIsNotOfferedTwiceAfter1008() {
        world.onHello = peer -> peer.close(CloseReason.UNAUTHORIZED);
        world.use(world.builder().token("the-token"));
        CompletableFuture<Void> connected = world.client().connect();
        world.advance(60_000);

        assertEquals(1, world.peers.size());
        assertEquals(Status.CLOSED, world.client().state().status());
        RealtimeException failure = (RealtimeException) failure(connected);
        assertNotNull(failure);
        assertEquals(ErrorCode.UNAUTHORIZED, failure.code());
        assertFalse(String.valueOf(failure).contains("the-token"));
    }

    @Test
    void differentTokenIsOfferedAtOnceAfter1008() {
        List<String> tokens = new ArrayList<>(List.of("old", "new"));
        world.onHello = peer -> {
            if ("old".equals(peer.hello().token())) {
                peer.close(CloseReason.UNAUTHORIZED);
            } else {
                peer.welcome();
            }
        };
        world.use(world.builder().token(() -> CompletableFuture.completedFuture(tokens.remove(0))));
        var unused = world.client().connect();
        world.settle();
        assertTrue(world.client().isConnected());
    }

    @Test
    void expiredTokenIsRefreshedOnceAtOnceThenWithBackoff() {
        world.onHello = peer -> peer.close(CloseReason.TOKEN_EXPIRED);
        world.use(world.builder().token("token"));
        var unused = world.client().connect();
        world.settle();
        assertEquals(2, world.peers.size());
        assertEquals(1_000, world.lastState().delay().toMillis());
        assertEquals(2, world.lastState().attempt());
    }

    @Test
    void errorBeforeCloseIsItsReason() {
        world.onHello = peer -> {
            peer.send("{'type':'$error','data':{'code':'forbidden','message':'no robots'}}");
            peer.close(CloseReason.FORBIDDEN);
        };
        CompletableFuture<Void> connected = world.client().connect();
        world.settle();
        assertEquals(
                new CloseReason(CloseReason.FORBIDDEN, "no robots"),
                world.lastState().reason());
        RealtimeException failure = (RealtimeException) failure(connected);
        assertNotNull(failure);
        assertEquals(ErrorCode.FORBIDDEN, failure.code());
    }

    @Test
    void oldErrorIsNotTheReasonOfALaterClose() {
        world.connected();
        world.peer().send("{'type':'$error','data':{'code':'rate_limited','message':'slower'}}");
        world.peer().send("{'type':'$pong'}");
        world.peer().close(CloseReason.OVERLOADED);
        world.settle();
        assertEquals(
                new CloseReason(CloseReason.OVERLOADED, ""), world.lastState().reason());
    }

    @Test
    void errorIsTheReasonWhenTheCloseIsLost() {
        world.connected();
        world.peer().send("{'type':'$error','data':{'code':'forbidden','message':'kicked','closeCode':4005}}");
        world.settle();
        world.network.cutAll();
        world.settle();
        assertEquals(Status.CLOSED, world.client().state().status());
        assertEquals(
                new CloseReason(CloseReason.KICKED, "kicked"), world.lastState().reason());
    }

    @Test
    void nothingWorksAfterClose() {
        RealtimeClient client = world.connected();
        client.close();
        world.settle();
        assertTrue(client.connect().isCompletedExceptionally());
        assertTrue(client.room("r").join().isCompletedExceptionally());
        CompletableFuture<Void> sent = client.send(World.SAY, new World.Say("late"));
        world.settle();
        RealtimeException failure = (RealtimeException) failure(sent);
        assertNotNull(failure);
        assertEquals(ErrorCode.CLOSED, failure.code());
        assertEquals(
                CloseReason.NORMAL,
                world.peer().closed == null ? 0 : world.peer().closed.code());
    }

    @Test
    void tokenWithHalfSurrogatePairIsReportedAndAskedForAgain() {
        List<String> tokens = new ArrayList<>(List.of("cut \uD83D", "whole"));
        world.use(world.builder().token(() -> CompletableFuture.completedFuture(tokens.remove(0))));
        CompletableFuture<Void> connected = world.client().connect();
        world.settle();
        assertEquals(1, world.errors.size(), world.errors::toString);
        assertEquals(ErrorCode.BAD_DATA, ((RealtimeException) world.errors.get(0)).code());
        world.advance(1_000);
        assertTrue(connected.isDone() && !connected.isCompletedExceptionally());
    }
}
