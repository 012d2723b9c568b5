package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.HistoryQuery;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A client works with the least of each limit, and says what is beyond it. */
class ClientLimitsTest {
    private static final int LEAST = 32 << 10;
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private static final StreamRequest<String, Integer> COUNT = StreamRequest.of("count", String.class, Integer.class);

    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private static void assertDone(CompletableFuture<?> future) {
        assertTrue(future.isDone() && !future.isCompletedExceptionally(), String.valueOf(future));
    }

    private static ErrorCode code(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return ((RealtimeException) Objects.requireNonNull(failure)).code();
    }

    // ---------------------------------------------------------------- outboundBytes

    @Test
    void backlogLeavesThroughTheLeastOutboundBytes() {
        world.use(world.builder().outboundBytes(LEAST));
        List<CompletableFuture<?>> sent = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            sent.add(world.client().send(World.SAY, new Say("x".repeat(1_000))));
        }
        world.connected();
        world.advance(1_000);
        sent.forEach(ClientLimitsTest::assertDone);
    }

    @Test
    void manyRoomsComeBackThroughTheLeastOutboundBytes() {
        world.use(world.builder().outboundBytes(LEAST));
        List<CompletableFuture<?>> joined = new ArrayList<>();
        for (int i = 0; i < 300; i++) {
            joined.add(world.client().room("x".repeat(200) + i).join());
        }
        world.connected();
        world.advance(1_000);
        joined.forEach(ClientLimitsTest::assertDone);
        world.network.cutAll();
        world.advance(5_000);
        assertEquals(2, world.peers.size());
        Set<String> back = new HashSet<>();
        for (Envelope question : world.peer().all(Protocol.REJOIN)) {
            back.addAll(world.peer().rejoined(question).keySet());
        }
        assertEquals(300, back.size());
        CompletableFuture<Void> sent = world.client().send(World.SAY, new Say("m"));
        world.settle();
        assertDone(sent);
    }

    @Test
    void helloLongerThanOutboundBytesFailsTheAttempt() {
        world.use(world.builder().outboundBytes(LEAST).token("t".repeat(LEAST)));
        var unused = world.client().connect();
        world.settle();
        assertEquals(Status.WAITING, world.client().state().status());
        RealtimeException why = assertInstanceOf(RealtimeException.class, world.errors.get(0));
        assertEquals(ErrorCode.TOO_BIG, why.code());
        assertTrue(String.valueOf(why.getMessage()).contains("outboundBytes is 32768"), why.getMessage());
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void messageBeyondHalfOfOutboundBytesNamesThatLimit(boolean isConnected) {
        world.use(world.builder().outboundBytes(LEAST));
        if (isConnected) {
            world.connected();
        }
        for (Event<Say> event : isConnected ? List.of(World.SAY, World.TYPING) : List.of(World.SAY)) {
            CompletableFuture<Void> tooLong = world.client().send(event, new Say("x".repeat(LEAST / 2)));
            world.settle();
            RealtimeException why = assertInstanceOf(
                    RealtimeException.class,
                    assertThrows(ExecutionException.class, tooLong::get).getCause());
            assertEquals(ErrorCode.TOO_BIG, why.code());
            String message = String.valueOf(why.getMessage());
            String limit = "bytes, this client sends 16384 at most, half of its outboundBytes";
            assertTrue(message.matches("the message has 16[4-9]\\d\\d " + limit), message);
        }
        world.connected();
        CompletableFuture<Void> fits = world.client().send(World.SAY, new Say("x".repeat(LEAST / 2 - 200)));
        world.settle();
        assertDone(fits);
    }

    // ---------------------------------------------------------------- the server's messageBytes

    @Test
    void creditOfManyStreamsFitsInTheServersMessages() {
        world.messageBytes = 1_024;
        world.rooms = "{'@session':{'epoch':'s1','offset':0,'recovered':true}}";
        world.connected();
        for (int i = 0; i < 90; i++) {
            var unused = world.client().stream(COUNT, "all", (Integer item) -> {});
        }
        world.settle();
        world.resumed = true;
        world.network.cutAll();
        world.advance(1_000);
        Set<String> told = new HashSet<>();
        for (Envelope credit : world.peer().all(Protocol.CREDIT)) {
            assertTrue(credit.length() <= 1_024, credit.length() + " bytes");
            Protocol.Credit data = credit.data(Protocol.Credit.class);
            told.addAll(Objects.requireNonNull(data.streams()).keySet());
        }
        assertEquals(90, told.size());
    }

    @Test
    void closeAs1009BlamesNoMessageBesideALongerFrame() {
        world.acks = false;
        world.connected();
        CompletableFuture<Void> innocent = world.client().send(World.SAY, new Say("m"));
        CompletableFuture<Void> unused = world.client().send(World.TYPING, new Say("x".repeat(2_000)));
        world.settle();
        world.peer().close(CloseReason.TOO_BIG);
        world.advance(1_000);
        assertFalse(innocent.isDone());
        assertEquals(List.of("m*"), world.peer().says());
    }

    // ---------------------------------------------------------------- callers that wait

    @Test
    void connectBeyondAThousandCallersIsRefused() {
        world.onHello = peer -> {};
        for (int i = 0; i < 3_000; i++) {
            assertTrue(world.client().connect().cancel(true)); // who has given up does not count
            if (i % 100 == 0) {
                world.advance(1);
            }
        }
        List<CompletableFuture<Void>> waiting = new ArrayList<>();
        for (int i = 0; i < 1_000; i++) {
            waiting.add(world.client().connect());
        }
        CompletableFuture<Void> refused = world.client().connect();
        world.settle();
        assertEquals(ErrorCode.OVERLOADED, code(refused));
        world.peer().welcome();
        world.settle();
        waiting.forEach(ClientLimitsTest::assertDone);
    }

    @Test
    void joinAndLeaveBeyondTheKnownRoomsFail() {
        for (int i = 0; i < 100_000; i++) {
            var unused = world.client().room("r" + i).leave();
            if (i % 100 == 0) {
                world.advance(1);
            }
        }
        CompletableFuture<JoinResult> joined = world.client().room("new").join();
        CompletableFuture<Void> left = world.client().room("new").leave();
        world.settle();
        assertEquals(ErrorCode.OVERLOADED, code(joined));
        assertEquals(ErrorCode.OVERLOADED, code(left));
    }

    @Test
    void joinThatTheSchedulerDropsFailsAtClose() {
        boolean[] isDropping = {false};
        world.use(world.builder().scheduler(new Scheduler() {
            @Override
            public Cancellable schedule(Duration delay, Runnable task) {
                return isDropping[0] ? () -> {} : world.time.schedule(delay, task);
            }

            @Override
            public long nanoTime() {
                return world.time.nanoTime();
            }

            @Override
            public boolean await(CountDownLatch latch, Duration timeout) throws InterruptedException {
                return world.time.await(latch, timeout);
            }

            @Override
            public long currentTimeMillis() {
                return world.time.currentTimeMillis();
            }
        }));
        world.connected();
        isDropping[0] = true;
        CompletableFuture<JoinResult> joined = world.client().room("r").join();
        isDropping[0] = false;
        world.client().close();
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(joined));
    }

    @Test
    void requestThatFailsWhileItIsSentIsNeverAsked() {
        List<Runnable> meanwhile = new ArrayList<>();
        world.use(world.builder().scheduler(new Scheduler() {
            @Override
            public Cancellable schedule(Duration delay, Runnable task) {
                Cancellable timer = world.time.schedule(delay, task);
                while (!meanwhile.isEmpty()) {
                    meanwhile.remove(0).run();
                }
                return timer;
            }

            @Override
            public long nanoTime() {
                return world.time.nanoTime();
            }

            @Override
            public boolean await(CountDownLatch latch, Duration timeout) throws InterruptedException {
                return world.time.await(latch, timeout);
            }

            @Override
            public long currentTimeMillis() {
                return world.time.currentTimeMillis();
            }
        }));
        world.connected();
        world.network.cutAll();
        world.settle();
        meanwhile.add(() -> {
            world.client().disconnect(Duration.ZERO);
            world.settle();
        });
        CompletableFuture<String> failed = world.client().request(ASK, "q");
        world.settle();
        assertEquals(ErrorCode.CLOSED, code(failed));
        world.connected();
        assertEquals(List.of(), world.peer().all("ask"));
    }

    @Test
    void streamListenerOnTheCallbackExecutorCannotWait() {
        world.rooms = "{'@session':{'epoch':'s1','offset':0,'recovered':true}}";
        world.connected();
        List<Throwable> failures = new ArrayList<>();
        StreamListener<Integer> listener = new StreamListener<>() {
            @Override
            public void onItem(Integer item) {
                var unused = world.client().request(ASK, "q").join();
            }

            @Override
            public void onError(Throwable failure) {
                failures.add(failure);
            }
        };
        var unused = world.client().stream(COUNT, "all", listener, world.time);
        world.settle();
        String ref = world.peer().all("count").get(0).ref();
        world.peer().send("{'type':'$next','room':'@session','offset':1,'ref':'" + ref + "','index':0,'data':1}");
        world.settle();
        assertInstanceOf(IllegalStateException.class, failures.get(0));
    }

    @Test
    void outboxOfOneMessageHasRoomForAStream() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(1).build()));
        world.rooms = "{'@session':{'epoch':'s1','offset':0,'recovered':true}}";
        List<Boolean> offered = new ArrayList<>();
        var unused = world.client().onStreamAsync(COUNT, (question, out) -> offered.add(out.offer(1)));
        world.connected();
        world.peer().send("{'type':'count','room':'@session','offset':1,'ts':1,'ref':'s-1','data':'q'}");
        world.settle();
        assertEquals(List.of(true), offered);
        assertEquals(1, world.peer().all(Protocol.NEXT).size());
    }

    @Test
    void userChangesThoughNoAttemptMayBeRepeated() {
        world.use(world.builder().backoff(Backoff.builder().maxAttempts(0).build()));
        world.user = "alice";
        world.connected();
        world.client().disconnect();
        world.settle();
        world.user = "bob";
        world.connected();
        assertEquals(3, world.peers.size());
    }

    @Test
    void gapNeverMovesAPositionBackWithinAnEpoch() {
        world.connected();
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        var unused = world.client().room("r").join();
        world.settle();
        for (int i = 1; i <= 3; i++) {
            world.peer().said("r", i, "m" + i);
        }
        world.peer().send("{'type':'$gap','room':'r','data':{'epoch':'e1','offset':1,'reason':'trimmed'}}");
        for (int i = 2; i <= 4; i++) {
            world.peer().said("r", i, "m" + i);
        }
        world.settle();
        assertEquals(List.of("m1", "m2", "m3", "m4"), world.heard);
        assertEquals(1, world.gaps.size());
        assertEquals(3, world.gaps.get(0).position().offset());
    }

    /** The engine's thread does not come to them meanwhile. */
    @Test
    void tenThousandCallsWaitAndTheNextIsRefusedAtOnce() {
        world.placeIn("r");
        world.connected();
        int before = world.time.pending();
        List<CompletableFuture<?>> asked = new ArrayList<>();
        for (int i = 0; i < 2_500; i++) {
            asked.add(world.client().room("a").join());
            asked.add(world.client().room("a").leave());
            asked.add(world.client().room("r").history(HistoryQuery.newest(1)));
            asked.add(world.client().connect());
        }
        assertTrue(asked.stream().noneMatch(CompletableFuture::isDone));
        CompletableFuture<Void> left = world.client().room("r").leave();
        CompletableFuture<Void> again = world.client().room("r").leave();
        assertEquals(ErrorCode.OVERLOADED, code(left));
        assertEquals(ErrorCode.OVERLOADED, code(again));
        assertEquals(ErrorCode.OVERLOADED, code(world.client().room("c").join()));
        assertEquals(before + 10_001, world.time.pending());
        world.settle();
        long leaves = world.peer().all(Protocol.LEAVE).stream()
                .filter(leave -> "r".equals(leave.room()))
                .count();
        assertEquals(1, leaves, "it is left though nobody is told");
        CompletableFuture<JoinResult> joined = world.client().room("c").join();
        world.settle();
        assertTrue(joined.isDone() && !joined.isCompletedExceptionally());
    }

    @Test
    void leaveThatIsRefusedEndsADisconnectAllTheSame() {
        world.acks = false;
        world.placeIn("r");
        world.connected();
        CompletableFuture<Void> unused = world.client().send(World.SAY, new World.Say("not acknowledged"));
        world.settle();
        for (int i = 0; i < 10_000; i++) {
            unused = world.client().connect();
        }
        world.client().disconnect(Duration.ofSeconds(9));
        assertEquals(ErrorCode.OVERLOADED, code(world.client().room("r").leave()));
        world.settle();
        assertFalse(world.client().isConnected(), "the leave is for the next connection");
    }

    @Test
    void networkChangesAndReconnectionsWaitOnce() {
        world.connected();
        int before = world.time.pending();
        for (int i = 0; i < 1_000; i++) {
            world.client().networkChanged();
            world.client().reconnectNow();
        }
        assertEquals(before + 2, world.time.pending());
    }

    @Test
    void disconnectsWaitOnceAndTheShortestGraceCounts() {
        world.acks = false;
        world.connected();
        var unused = world.client().send(World.SAY, new World.Say("not acknowledged"));
        world.settle();
        int before = world.time.pending();
        world.client().disconnect(Duration.ofSeconds(9));
        for (int i = 0; i < 1_000; i++) {
            world.client().disconnect(Duration.ofSeconds(2));
            world.client().disconnect(Duration.ofSeconds(9));
        }
        assertEquals(before + 1, world.time.pending());
        world.advance(1_900);
        assertTrue(world.client().isConnected());
        world.advance(200);
        assertFalse(world.client().isConnected());
    }

    /** The last word counts. */
    @Test
    void disconnectAfterAnotherCallIsOneOfItsOwn() {
        world.client().disconnect();
        CompletableFuture<Void> connected = world.client().connect();
        world.client().disconnect();
        CompletableFuture<Void> again = world.client().connect();
        world.settle();
        assertTrue(connected.isCompletedExceptionally());
        assertTrue(again.isDone() && !again.isCompletedExceptionally());
        assertTrue(world.client().isConnected());
        world.client().disconnect();
        world.settle();
        assertFalse(world.client().isConnected());
    }

    /** Of messages that were given up nothing is left in the outbox; the engine's thread has not come to them all the same. */
    @Test
    void messagesThatAreCancelledAtOnceAreBoundedToo() {
        world.connected();
        int before = world.time.pending();
        CompletableFuture<Void> sent = world.client().send(World.SAY, new World.Say("x"));
        for (int i = 0; i < 20_000 && sent.cancel(false); i++) {
            sent = world.client().send(World.SAY, new World.Say("x"));
        }
        assertTrue(world.time.pending() <= before + 12_000, () -> world.time.pending() + " tasks wait");
        world.settle();
        assertEquals(ErrorCode.OVERLOADED, code(sent));
        CompletableFuture<Void> next = world.client().send(World.SAY, new World.Say("next"));
        world.settle();
        assertTrue(next.isDone() && !next.isCompletedExceptionally());
        assertEquals(List.of("next"), world.peer().says());
    }

    @Test
    void streamsThatAreCancelledAtOnceAreBoundedToo() {
        world.use(world.builder().callbackExecutor(Runnable::run)); // these do not wait, but for the engine's thread
        world.connected();
        int before = world.time.pending();
        StreamRequest<String, Integer> count = StreamRequest.of("count", String.class, Integer.class);
        for (int i = 0; i < 20_000; i++) {
            world.client().stream(count, "x", item -> {}, Runnable::run).close();
        }
        assertTrue(world.time.pending() <= before + 12_000, () -> world.time.pending() + " tasks wait");
    }
}
