package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.Subscription;
import io.realtime.testing.HeldExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;

class ClientReloadTest extends HeldRoom {
    @Test
    void hookRunsAfterEarlierMessagesAndListenerAndHoldsLaterOnes() {
        joined();
        world.peer().said("r", 1, "before");
        gap("r", "e2", 7);
        said(8, "after");
        assertEquals(List.of("before", "reload"), world.heard);
        assertEquals(List.of(at("e2", 7)), reloads);
        assertEquals(reloads, world.gaps);
        said(9, "later");
        loaded(null);
        said(10, "on");
        assertEquals(List.of("before", "reload", "after", "later", "on"), world.heard);
    }

    @Test
    void listenerIsToldBeforeTheHookRunsAndMayThrow() {
        List<String> order = new ArrayList<>();
        world.use(world.builder().listener(new ClientListener() {
            @Override
            public void onGap(Gap gap) {
                order.add("listener");
                throw new IllegalStateException("listener");
            }
        }));
        Subscription hook = world.client().room("r").onReload(gap -> {
            order.add("hook");
            return CompletableFuture.completedFuture(null);
        });
        world.connected();
        var unused = world.client().room("r").join();
        world.settle();
        gap("r", "e2", 0);
        assertEquals(List.of("listener", "hook"), order);
        hook.close();
    }

    @Test
    void otherRoomsFuturesAndTheListenerAreNotDelayed() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.peer().send("{'type':'$joined','room':'s','data':{'epoch':'e1','offset':0}}");
        world.peer().said("s", 1, "other room");
        CompletableFuture<Void> sent = room.send(World.SAY, new World.Say("hello"));
        world.peer().send("{'type':'$error','data':{'code':'internal'}}");
        world.settle();
        assertEquals(List.of("reload", "other room"), world.heard);
        assertTrue(sent.isDone());
        assertEquals(1, world.errors.size());
    }

    @Test
    void whatWasLoadedIsSkippedWhetherHeldOrLater() {
        joined();
        gap("r", "e2", 0);
        said(1, "one");
        said(2, "two");
        loaded(new Position("e2", 3));
        assertEquals(List.of("reload"), world.heard);
        said(3, "three");
        said(4, "four");
        said(5, "five");
        assertEquals(List.of("reload", "four", "five"), world.heard);
    }

    @Test
    void positionAmongHeldMessagesSkipsThoseUpToIt() {
        joined();
        gap("r", "e2", 0);
        said(1, "one");
        said(2, "two");
        loaded(new Position("e2", 1));
        assertEquals(List.of("reload", "two"), world.heard);
    }

    @Test
    void positionOfAnotherEpochSkipsNothing() {
        joined();
        gap("r", "e2", 0);
        said(1, "one");
        loaded(new Position("e1", 900));
        said(2, "two");
        assertEquals(List.of("reload", "one", "two"), world.heard);
    }

    @Test
    void whatWasLoadedSkipsNothingAfterTheNextGap() {
        Subscription hook = joined();
        gap("r", "e2", 0);
        loaded(new Position("e2", 100));
        hook.close();
        gap("r", "e2", 10);
        said(11, "eleven");
        assertEquals(List.of("reload", "eleven"), world.heard);
    }

    @Test
    void ephemeralMessagesAreDroppedWhileRoomIsHeldAndNotAfterwards() {
        joined();
        String typing = "{'type':'chat.typing','room':'r','ts':1,'data':{'text':'typing'}}";
        gap("r", "e2", 0);
        world.peer().send(typing);
        world.settle();
        loaded(new Position("e2", 5));
        assertEquals(List.of("reload"), world.heard);
        world.peer().send(typing);
        world.settle();
        assertEquals(List.of("reload", "typing"), world.heard);
    }

    @Test
    void secondGapDuringReloadRunsTheHookAgain() {
        joined();
        gap("r", "e2", 0);
        said(1, "old");
        gap("r", "e3", 4);
        gap("r", "e4", 6);
        said(7, "new");
        assertEquals(1, reloads.size());
        loaded(new Position("e4", 900)); // of the first run, whatever it says
        assertEquals(List.of(at("e2", 0), at("e4", 6)), reloads);
        assertEquals(3, world.gaps.size());
        loaded(null);
        assertEquals(List.of("reload", "reload", "new"), world.heard);
        assertEquals(2, reloads.size());
    }

    @Test
    void leavingEndsTheHoldAndIgnoresALateStage() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        CompletableFuture<Void> left = room.leave();
        world.settle();
        assertTrue(left.isDone());
        loaded(null);
        assertEquals(List.of("reload"), world.heard);
        var again = room.join();
        world.settle();
        assertTrue(again.isDone());
        said(1, "anew");
        assertEquals(List.of("reload", "anew"), world.heard);
    }

    @Test
    void roomThatTheServerTakesAwayHoldsNothing() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.peer().send("{'type':'$left','room':'r','data':{'epoch':'e2','offset':1}}");
        world.settle();
        loaded(null);
        assertEquals(List.of("reload"), world.heard);
    }

    @Test
    void leavingAndJoiningWhileLeaveWasNeverAskedKeepsHold() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.resumed = true;
        world.rooms = "{'r':{'epoch':'e2','offset':1,'recovered':true}}";
        world.joinReply = "{'epoch':'e2','offset':1,'recovered':true,'members':1}";
        world.network.cutAll();
        world.settle();
        var left = room.leave();
        var again = room.join();
        world.advance(1_000);
        assertTrue(left.isDone() && again.isDone());
        loaded(null);
        assertEquals(List.of("reload", "held"), world.heard);
    }

    @Test
    void closingTheClientEndsTheHoldAndIgnoresALateStage() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.client().close();
        world.settle();
        loaded(null);
        assertEquals(List.of("reload"), world.heard);
    }

    @Test
    void closingSubscriptionHandsOverWhatIsHeldAndHookRunsNoMore() {
        Subscription hook = joined();
        gap("r", "e2", 0);
        said(1, "held");
        failed();
        hook.close();
        hook.close();
        world.settle();
        assertEquals(List.of("reload", "held"), world.heard);
        world.advance(60_000);
        gap("r", "e3", 0);
        said(1, "on");
        assertEquals(List.of("reload", "held", "on"), world.heard);
        assertEquals(1, reloads.size());
    }

    /** A callback replaces the hook, and the next gap waits behind that callback already. */
    @Test
    void hookThatReplacesAnotherHearsOfTheGapThatFollows() {
        Subscription first = joined();
        gap("r", "e2", 0);
        List<Gap> second = new ArrayList<>();
        world.client().room("s").on(World.SAID, swap -> {
            first.close();
            Subscription unused = room.onReload(gap -> {
                second.add(gap);
                return CompletableFuture.completedFuture(null);
            });
        });
        world.peer().send("{'type':'$joined','room':'s','data':{'epoch':'e1','offset':0}}");
        world.peer().said("s", 1, "swap");
        gap("r", "e3", 4);
        said(5, "five");
        assertEquals(List.of(at("e3", 4)), second);
        assertEquals(List.of("reload", "swap", "five"), world.heard);
    }

    @Test
    void secondReloadHookOfOneRoomIsRefused() {
        Subscription first = room.onReload(this::reload);
        IllegalStateException refused = assertThrows(
                IllegalStateException.class, () -> world.client().room("r").onReload(this::reload));
        assertEquals("room 'r' has a reload hook already", refused.getMessage());
        first.close();
        room.onReload(this::reload).close();
    }

    @Test
    void stageMayCompleteOnAnyThread() throws InterruptedException {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        Thread thread = new Thread(() -> loading.get(0).complete(null));
        thread.start();
        thread.join();
        assertEquals(List.of("reload"), world.heard, "handed over on the callback executor only");
        world.settle();
        assertEquals(List.of("reload", "held"), world.heard);
    }

    @Test
    void gapAtTheRejoinHoldsWhatFollowsIt() {
        joined();
        said(5, "five");
        world.joinReply = "{'epoch':'e2','offset':1,'recovered':false,'reason':'epoch','members':1}";
        world.network.cutAll();
        world.advance(600);
        assertEquals(List.of(new Gap("r", new Position("e2", 1), "epoch")), reloads);
        said(2, "two");
        loaded(null);
        assertEquals(List.of("five", "reload", "two"), world.heard);
    }

    @Test
    void leavingAndJoiningAgainBeginsAnew() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.joinReply = "{'epoch':'e2','offset':1,'recovered':false,'members':1}";
        var left = room.leave();
        var again = room.join();
        world.settle();
        assertTrue(left.isDone() && again.isDone());
        said(2, "anew");
        loaded(null);
        assertEquals(List.of("reload", "anew"), world.heard);
    }

    @Test
    void whatWasLoadedSkipsNothingOnceTheRoomWasLeft() {
        joined();
        gap("r", "e2", 0);
        loaded(new Position("e2", 100));
        world.joinReply = "{'epoch':'e2','offset':2,'recovered':false,'members':1}";
        var left = room.leave();
        world.settle();
        var again = room.join(1);
        world.settle();
        assertTrue(left.isDone() && again.isDone());
        said(3, "history");
        assertEquals(List.of("reload", "history"), world.heard);
    }

    @Test
    void hookThatWasClosedIsNotCalledForTheGapThatItMissed() {
        Subscription hook = joined();
        gap("r", "e2", 0);
        gap("r", "e3", 0);
        said(1, "held");
        loading.get(0).complete(null); // on its way to the executor, where another run would begin
        hook.close();
        world.settle();
        assertEquals(List.of("reload", "held"), world.heard);
    }

    @Test
    void closingTheClientLeavesNoTimerOfAFailedHook() {
        joined();
        gap("r", "e2", 0);
        for (int i = 0; i < 5; i++) {
            failed();
            world.advance(30_000);
        }
        failed();
        world.client().close();
        world.advance(15_000); // the hook's would be due after 30 s
        assertEquals(0, world.time.pending());
    }

    @Test
    void stageThatCompletesAfterTheCloseSubmitsNothing() {
        HeldExecutor tasks = new HeldExecutor();
        world.use(world.builder().callbackExecutor(tasks));
        Subscription hook = world.client().room("r").onReload(this::reload);
        world.connected();
        var unused = world.client().room("r").join();
        world.settle();
        gap("r", "e2", 0);
        tasks.runAll();
        assertEquals(1, loading.size());
        world.client().close();
        world.settle();
        tasks.runAll();
        loaded(null);
        hook.close();
        assertEquals(0, tasks.size());
    }
}
