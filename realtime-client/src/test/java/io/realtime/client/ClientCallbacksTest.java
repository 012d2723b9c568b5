package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.HistoryQuery;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.Request;
import io.realtime.Subscription;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.World.Say;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Inbound;
import io.realtime.gson.GsonCodec;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payloads;
import io.realtime.testing.HeldExecutor;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executor;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClientCallbacksTest {
    private final World world = new World();

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    @Test
    void callbacksRunInOrderOneAtATimeOnManyThreads() throws InterruptedException {
        ExecutorService many = Executors.newFixedThreadPool(8);
        try {
            int count = 500;
            List<Long> heard = Collections.synchronizedList(new ArrayList<>());
            AtomicInteger running = new AtomicInteger();
            AtomicInteger most = new AtomicInteger();
            CountDownLatch all = new CountDownLatch(count);
            CountDownLatch open = new CountDownLatch(1);
            world.use(world.builder().callbackExecutor(many).listener(new ClientListener() {
                @Override
                public void onState(ConnectionState state) {
                    if (state.status() == Status.OPEN) {
                        open.countDown();
                    }
                }
            }));
            world.client().on(World.SAID, said -> {
                most.accumulateAndGet(running.incrementAndGet(), Math::max);
                heard.add(Long.parseLong(said.data().text()));
                running.decrementAndGet();
                all.countDown();
            });
            world.placeIn("r");
            var unused = world.client().connect();
            world.settle();
            assertTrue(open.await(10, TimeUnit.SECONDS));
            List<Long> expected = new ArrayList<>();
            for (long i = 1; i <= count; i++) {
                expected.add(i);
                world.peer().said("r", i, Long.toString(i));
            }
            world.settle();
            assertTrue(all.await(10, TimeUnit.SECONDS));
            assertEquals(expected, heard);
            assertEquals(1, most.get());
        } finally {
            many.shutdownNow();
        }
    }

    @Test
    void handlerThatThrowsIsReportedAndHarmsNoOther() {
        world.client().on(World.SAID, said -> {
            throw new IllegalStateException("handler");
        });
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.placeIn("r");
        world.connected();
        world.peer().said("r", 1, "a");
        world.settle();
        assertEquals(List.of("a"), world.heard);
        assertEquals("handler", world.errors.get(0).getMessage());
        assertEquals(1, world.errors.size());
        assertTrue(world.client().isConnected());
    }

    /** An exception is the application's code, too: this one throws when it is asked for its message. */
    private static final class Unreadable extends RuntimeException {
        private static final long serialVersionUID = 1L;

        @Override
        public String getMessage() {
            throw new StackOverflowError("as the test wants");
        }
    }

    @Test
    void failureThatCannotBeLoggedHarmsNoOtherHandler() {
        world.client().on(World.SAID, said -> {
            throw new Unreadable();
        });
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.placeIn("r");
        world.connected();
        world.peer().said("r", 1, "a");
        world.settle();
        assertEquals(List.of("a"), world.heard);
        assertEquals(1, world.errors.size());
        assertTrue(world.errors.get(0) instanceof Unreadable);
    }

    @Test
    void payloadThatDoesNotFitIsReportedAndNextOneArrives() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.placeIn("r");
        world.connected();
        world.peer().send("{'type':'chat.said','data':{'text':7}}");
        world.peer().said("r", 1, "a");
        world.settle();
        assertEquals(List.of("a"), world.heard);
        assertEquals(PayloadException.class, world.errors.get(0).getClass());
    }

    @Test
    void listenerThatThrowsStopsNothing() {
        world.use(world.builder().listener(new ClientListener() {
            @Override
            public void onState(ConnectionState state) {
                throw new IllegalStateException("listener");
            }
        }));
        world.connected();
    }

    @Test
    void onceHearsOneMessageAndAClosedSubscriptionNone() {
        world.client()
                .once(World.SAID, said -> world.heard.add("once " + said.data().text()));
        Subscription closed = world.client().on(World.SAID, said -> world.heard.add("closed"));
        closed.close();
        world.placeIn("r");
        world.connected();
        world.peer().said("r", 1, "a");
        world.peer().said("r", 2, "b");
        world.settle();
        assertEquals(List.of("once a"), world.heard);
    }

    @Test
    void roomWithoutHandlersIsForgotten() {
        CallbackDispatcher callbacks = new CallbackDispatcher(
                Runnable::run, Runnable::run, 1 << 20, world, world.time, new Payloads(GsonCodec.create()));
        for (int i = 0; i < 1_000; i++) {
            Subscription first = callbacks.on("room-" + i, World.SAID, said -> {});
            Subscription second = callbacks.once("room-" + i, World.SAID, said -> {});
            first.close();
            first.close();
            assertEquals(1, callbacks.rooms());
            second.close();
        }
        assertEquals(0, callbacks.rooms());
    }

    @Test
    void onceThatHasHeardLeavesNothingBehind() {
        CallbackDispatcher callbacks = new CallbackDispatcher(
                Runnable::run, Runnable::run, 1 << 20, world, world.time, new Payloads(GsonCodec.create()));
        Subscription once = callbacks.once("r", World.SAID, said -> world.heard.add("once"));
        Envelope said = Envelope.parseFromServer(
                "{\"type\":\"chat.said\",\"room\":\"r\",\"ts\":1,\"data\":{\"text\":\"a\"},\"offset\":1}");
        assertTrue(callbacks.hand(new Inbound(said, "e1", 1)));
        assertEquals(List.of("once"), world.heard);
        assertEquals(0, callbacks.rooms());
        Subscription next = callbacks.on("r", World.SAID, other -> {});
        once.close();
        assertEquals(1, callbacks.rooms());
        next.close();
    }

    @Test
    void secondContractOfOneNameIsRefused() {
        world.client().on(World.SAID, said -> {});
        Event<Integer> other = Event.of(World.SAID.name(), Integer.class);
        ClientRoom room = world.client().room("r");
        assertThrows(IllegalArgumentException.class, () -> room.on(other, said -> {}));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nonsense",
                "[]",
                "{}",
                "{'type':5}",
                "{'type':'$ack'}",
                "{'type':'$ack','data':[]}",
                "{'type':'$ack','data':{'seq':'x'}}",
                "{'type':'$goodbye','data':7}",
                "{'type':'$joined','data':{}}",
                "{'type':'$joined','room':'r','data':{}}",
                "{'type':'$gap','room':'r'}",
                "{'type':'$welcome','data':{}}"
            })
    void malformedFramesAreReportedAndTheTenthEndsTheConnection(String frame) {
        world.connected();
        for (int i = 0; i < 9; i++) {
            world.peer().send(frame);
        }
        world.settle();
        assertEquals(9, world.errors.size());
        assertTrue(world.client().isConnected());
        world.peer().send(frame);
        world.settle();
        assertEquals(10, world.errors.size());
        assertEquals(Status.WAITING, world.client().state().status());
        CloseReason closed = world.peer().closed;
        assertEquals(CloseReason.PROTOCOL_ERROR, closed == null ? 0 : closed.code());
        world.advance(1_000);
        assertTrue(world.client().isConnected());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'$later','data':1}",
                "{'type':'$reply','ref':'nobody'}",
                "{'type':'$error','ref':'nobody'}",
                "{'type':'$pong'}",
                "{'type':'$ack','data':{'seq':99}}",
                "{'type':'unheard.of','data':{}}"
            })
    void framesNobodyHandlesAreIgnored(String frame) {
        world.connected();
        for (int i = 0; i < 20; i++) {
            world.peer().send(frame);
        }
        world.settle();
        assertEquals(List.of(), world.errors);
        assertTrue(world.client().isConnected());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{'session':7}",
                "{'session':'s','rooms':{'r':null}}",
                "{'session':'s','rooms':{'r':{'offset':1}}}"
            })
    void malformedWelcomeNeverOpens(String data) {
        world.onHello = peer -> peer.send("{'type':'$welcome','data':" + data + "}");
        var unused = world.client().connect();
        world.settle();
        assertEquals(List.of("CONNECTING", "WAITING"), world.statuses());
        assertEquals(500, world.lastState().delay().toMillis());
        assertEquals(1, world.errors.size());
    }

    @Test
    void welcomeWithAbsurdTimesOpensWithTheClientsOwn() {
        world.onHello = peer -> peer.send("{'type':'$welcome','data':{'session':'s','heartbeat':"
                + "{'intervalMs':1,'timeoutMs':9223372036854775807},'retry':{'spreadMs':9223372036854775807}}}");
        world.connected();
        world.network.cutAll();
        world.settle();
        assertEquals(3_600, world.lastState().delay().toSeconds());
    }

    @Test
    void bareWelcomeOpens() {
        world.onHello = peer -> peer.send("{'type':'$welcome','data':{'session':'s'}}");
        world.connected();
        var sent = world.client().send(World.SAY, new World.Say("a"));
        world.settle();
        assertTrue(sent.isDone());
    }

    @Test
    void pingIsAnsweredWithItsData() {
        world.connected();
        world.peer().send("{'type':'$ping','data':{'n':[1,null]}}");
        world.settle();
        assertEquals(
                "{\"n\":[1,null]}",
                world.peer()
                        .all("$pong")
                        .get(0)
                        .<JsonElement>data(JsonElement.class)
                        .toString());
    }

    @Test
    void slowHandlersCutTheConnectionAndMissNothing() {
        HeldExecutor held = new HeldExecutor();
        world.use(world.builder().callbackExecutor(held));
        world.client().on(World.SAID, said -> world.heard.add(said.data().text().substring(0, 3)));
        var unused = world.client().connect();
        world.settle();
        world.joinReply = "{'epoch':'e1','offset':0,'recovered':true,'members':1}";
        var joined = world.client().room("r").join();
        world.settle();
        String filler = "x".repeat(900_000);
        for (int i = 1; i <= 12; i++) {
            world.peer().said("r", i, (100 + i) + filler);
            world.settle();
        }
        assertEquals(Status.WAITING, world.client().state().status());
        assertTrue(world.peer().closed != null && world.peer().closed.code() == CloseReason.SLOW_CONSUMER);
        int positions = world.peers.size();
        held.runAll();
        assertTrue(joined.isDone());
        int heard = world.heard.size();
        world.joinReply = "{'epoch':'e1','offset':" + heard + ",'recovered':true,'members':1}";
        world.advance(1_000);
        held.runAll();
        assertEquals(positions + 1, world.peers.size());
        assertEquals(
                Map.of("r", new Position("e1", heard)), world.peer().hello().positions());
    }

    @Test
    void waitingInCallbackFailsAtOnceAndSaysWhatToDo() {
        List<String> told = new ArrayList<>();
        Request<String, String> ask = Request.of("ask", String.class, String.class);
        world.placeIn("here");
        world.connected();
        var unused = world.client().on(World.SAID, said -> {
            for (CompletableFuture<?> future : List.of(
                    world.client().request(ask, "x"),
                    world.client().request(ask, "x").thenApply(String::length),
                    world.client().send(World.SAY, new Say("x")),
                    world.client().connect(),
                    world.client().room("r").join(),
                    world.client().room("r").leave(),
                    world.client().room("r").history(HistoryQuery.newest(1)))) {
                told.add(refusal(future::get));
                told.add(refusal(future::join));
                told.add(refusal(() -> future.get(1, TimeUnit.DAYS)));
            }
        });
        world.peer().said("here", 1, "x");
        world.settle();
        assertEquals(Collections.nCopies(21, told.get(0)), told);
        assertEquals(
                "a callback of the client waits for a future that only the client's next callback completes:"
                        + " use thenAccept or whenComplete instead of get or join",
                told.get(0));
        assertEquals(List.of(), world.errors);
    }

    private static String refusal(Executable waiting) {
        return String.valueOf(assertThrows(IllegalStateException.class, waiting).getMessage());
    }

    /** Runs tasks on an executor once a callback is registered, so that it runs there. */
    private static Executor behind(CountDownLatch registered, Executor executor) {
        return task -> executor.execute(() -> {
            try {
                assertTrue(registered.await(20, TimeUnit.SECONDS));
            } catch (InterruptedException stopped) {
                throw new IllegalStateException(stopped);
            }
            task.run();
        });
    }

    @Test
    @Timeout(30)
    void waitingInCallbackFailsOnAnyExecutor() throws Exception {
        for (Executor executor : List.<Executor>of(Runnable::run, task -> new Thread(task).start())) {
            CompletableFuture<String> told = new CompletableFuture<>();
            CountDownLatch registered = new CountDownLatch(1);
            RealtimeClient client = RealtimeClient.builder(URI.create("ws://host/ws"))
                    .callbackExecutor(behind(registered, executor))
                    .build();
            Request<String, String> ask = Request.of("ask", String.class, String.class);
            var unused = client.request(ask, "x", Duration.ofMillis(1)).whenComplete((reply, failure) -> {
                try {
                    told.complete(refusal(client.request(ask, "y")::get));
                } catch (Throwable wrong) {
                    told.completeExceptionally(wrong);
                }
            });
            registered.countDown();
            assertTrue(told.get(20, TimeUnit.SECONDS).endsWith("instead of get or join"));
            client.close();
        }
    }

    @Test
    @Timeout(30)
    void closeFromCallbackReturnsOnAnyExecutor() throws Exception {
        for (Executor executor : List.<Executor>of(Runnable::run, task -> new Thread(task).start())) {
            CompletableFuture<String> closed = new CompletableFuture<>();
            CountDownLatch registered = new CountDownLatch(1);
            RealtimeClient client = RealtimeClient.builder(URI.create("ws://host/ws"))
                    .callbackExecutor(behind(registered, executor))
                    .build();
            Request<String, String> ask = Request.of("ask", String.class, String.class);
            var unused = client.request(ask, "x", Duration.ofMillis(1)).whenComplete((reply, failure) -> {
                client.close();
                closed.complete("closed");
            });
            registered.countDown();
            assertEquals("closed", closed.get(20, TimeUnit.SECONDS));
        }
    }
}
