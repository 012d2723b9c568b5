package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.TypeAdapter;
import com.google.gson.annotations.JsonAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.Subscription;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Reloads;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What fails, overflows or makes no sense during a reload. */
class ClientReloadTroubleTest extends HeldRoom {
    @Test
    void failedHookRunsAgainWithABackoffUpTo30Seconds() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        long[] waits = {1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000};
        for (int i = 0; i < waits.length; i++) {
            failed();
            assertEquals(i + 1, world.errors.size());
            assertEquals("store", world.errors.get(i).getMessage());
            world.advance(waits[i] - 21); // it has waited for 20 ms
            assertEquals(i + 1, reloads.size());
            world.advance(1);
            assertEquals(i + 2, reloads.size());
        }
        loaded(null);
        assertEquals("held", world.heard.get(world.heard.size() - 1));
        assertEquals(List.of(at("e2", 0)), reloads.stream().distinct().toList());
    }

    @Test
    void hookThatNeverLoadsRunsAgainAfterItsTimeout() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.advance(58_000);
        assertEquals(1, reloads.size());
        assertEquals(List.of(), world.errors);
        world.advance(3_100);
        assertEquals(2, reloads.size());
        assertEquals(1, world.errors.size());
        assertEquals(
                "the reload hook of room 'r' has not loaded within PT1M",
                world.errors.get(0).getMessage());
        loaded(null);
        world.advance(120_000);
        assertEquals(2, reloads.size());
        assertEquals("held", world.heard.get(world.heard.size() - 1));
    }

    @Test
    void hookThatThrowsOrGivesNullIsAFailureToo() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        List<String> calls = new ArrayList<>();
        Subscription hook = room.onReload(ClientReloadTroubleTest.misbehaving(calls));
        world.connected();
        var unused = room.join();
        world.settle();
        gap("r", "e2", 0);
        said(1, "held");
        world.advance(10_000);
        assertEquals(3, calls.size());
        assertEquals("an error", world.errors.get(0).getMessage());
        assertEquals(
                "the reload hook of room 'r' gave null", world.errors.get(1).getMessage());
        assertEquals(2, world.errors.size());
        assertEquals(List.of("held"), world.heard);
        hook.close();
    }

    @SuppressWarnings("NullAway") // what nobody should do
    private static Reload misbehaving(List<String> calls) {
        return gap -> {
            calls.add(gap.room());
            return switch (calls.size()) {
                case 1 -> throw new AssertionError("an error");
                case 2 -> null;
                default -> CompletableFuture.completedFuture(null);
            };
        };
    }

    @Test
    void hookThatWaitsRunsAtOnceWhenTheClientConnectsAgain() {
        joined();
        gap("r", "e2", 0);
        for (int i = 0; i < 6; i++) {
            failed();
            world.advance(30_000);
        }
        failed();
        int ran = reloads.size();
        world.joinReply = "{'epoch':'e2','offset':0,'recovered':true,'members':1}";
        world.network.cutAll();
        world.advance(600);
        assertTrue(world.client().isConnected());
        assertEquals(ran + 1, reloads.size());
        world.advance(60_000);
        assertEquals(ran + 1, reloads.size(), "it runs");
    }

    @Test
    void gapWhileAFailedHookWaitsIsLoadedByItsNextRun() {
        joined();
        gap("r", "e2", 0);
        said(1, "old");
        failed();
        gap("r", "e3", 4);
        said(5, "new");
        world.advance(1_000);
        assertEquals(List.of(at("e2", 0), at("e3", 4)), reloads);
        loaded(null);
        assertEquals(2, reloads.size());
        assertEquals("new", world.heard.get(world.heard.size() - 1));
    }

    @Test
    void messagesBeyondTheBoundAreDroppedAndReloaded() {
        joined();
        gap("r", "e2", 0);
        String half = "x".repeat((int) Reloads.ROOM_BYTES / 2 - 400);
        said(1, half);
        said(2, half);
        said(3, "one too many");
        said(4, "dropped too");
        loaded(null);
        assertEquals(1, reloads.size(), "not without a pause");
        said(5, "and this");
        world.advance(1_000);
        Gap overflow = new Gap("r", new Position("e2", 5), Gap.OVERFLOW);
        assertEquals(List.of(at("e2", 0), overflow), reloads);
        assertEquals(reloads, world.gaps);
        said(6, "six");
        loaded(null);
        assertEquals(List.of("reload", "reload", "six"), world.heard);
        assertEquals(List.of(), world.errors);
    }

    @Test
    void exactlyTheBoundIsHeld() {
        joined();
        gap("r", "e2", 0);
        String frame = "{'type':'chat.said','room':'r','ts':1,'data':{'text':''},'offset':1}";
        String all = "x".repeat((int) Reloads.ROOM_BYTES - (int) CallbackDispatcher.cost(frame.length()));
        said(1, all);
        loaded(null);
        assertEquals(List.of("reload", all), world.heard);

        gap("r", "e2", 10);
        said(11, all); // one digit more
        loaded(null);
        world.advance(1_000);
        assertEquals(Gap.OVERFLOW, reloads.get(reloads.size() - 1).reason());
    }

    @Test
    void whatIsHeldOfAllRoomsIsBoundedToo() {
        joined();
        int rooms = (int) (Reloads.ALL_BYTES / Reloads.ROOM_BYTES) + 1;
        List<Subscription> hooks = new ArrayList<>();
        for (int i = 0; i < rooms; i++) {
            String name = "room" + i;
            hooks.add(world.client().room(name).onReload(this::reload));
            var unused = world.client().room(name).join();
            world.settle();
            gap(name, "e2", 0);
            world.peer().said(name, 1, name + "x".repeat((int) Reloads.ROOM_BYTES - 1_000));
            world.settle();
        }
        world.heard.clear();
        loading.get(rooms - 1).complete(null);
        loading.get(0).complete(null);
        world.advance(1_000);
        Gap overflow = new Gap("room" + (rooms - 1), new Position("e2", 1), Gap.OVERFLOW);
        assertEquals(overflow, reloads.get(rooms));
        assertEquals(2, world.heard.size());
        assertTrue(world.heard.get(0).startsWith("room0x"));
        hooks.forEach(Subscription::close);
    }

    @Test
    void heldMessagesDoNotCountAgainstTheBacklog() {
        joined();
        gap("r", "e2", 0);
        String most = "x".repeat((int) Reloads.ROOM_BYTES / 2);
        for (int i = 1; i <= 40; i++) { // held, dropped, and dropped again: 20 MiB in all
            said(i, most);
        }
        assertTrue(world.client().isConnected());
        assertEquals(1, world.peers.size());
        assertEquals(1, reloads.size());
    }

    @Test
    void leavingEndsTheRetriesOfAFailedHook() {
        joined();
        gap("r", "e2", 0);
        failed();
        var unused = room.leave();
        world.advance(60_000);
        assertEquals(1, reloads.size());
    }

    @Test
    void closingSubscriptionAfterOverflowTellsOfWhatWasDropped() {
        Subscription hook = joined();
        gap("r", "e2", 0);
        said(1, "x".repeat((int) Reloads.ROOM_BYTES - 100));
        hook.close();
        world.settle();
        assertEquals(List.of(at("e2", 0), new Gap("r", new Position("e2", 1), Gap.OVERFLOW)), world.gaps);
    }

    @Test
    void stageThatCompletesTwiceCountsOnce() {
        Repeating stage = new Repeating();
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        Subscription hook = room.onReload(gap -> stage);
        world.connected();
        var unused = room.join();
        world.settle();
        gap("r", "e2", 0);
        said(1, "one");
        stage.complete(0);
        stage.complete(0);
        assertEquals(List.of("one"), world.heard);
        gap("r", "e3", 0);
        said(1, "held");
        stage.complete(0); // a second run is not ended by the first one's stage
        assertEquals(List.of("one"), world.heard);
        stage.complete(1);
        assertEquals(List.of("one", "held"), world.heard);
        hook.close();
    }

    /** Completes as often as it is told to. */
    private final class Repeating extends CompletableFuture<@Nullable Position> {
        private final List<BiConsumer<? super @Nullable Position, ? super @Nullable Throwable>> actions =
                new ArrayList<>();

        @Override
        public CompletableFuture<@Nullable Position> whenComplete(
                BiConsumer<? super @Nullable Position, ? super @Nullable Throwable> action) {
            actions.add(action);
            return this;
        }

        void fail(int run) {
            actions.get(run).accept(null, new IllegalStateException("store"));
            world.settle();
        }

        void complete(int run) {
            actions.get(run).accept(null, null);
            world.settle();
        }
    }

    @Test
    void handlerThatThrowsCostsNoOtherHeldMessage() {
        joined();
        world.client().on(World.SAID, said -> {
            throw new AssertionError("handler");
        });
        gap("r", "e2", 0);
        said(1, "one");
        world.peer().send("{'type':'chat.said','room':'r','offset':2,'data':{'text':7}}");
        said(3, "three");
        loaded(null);
        assertEquals(List.of("reload", "one", "three"), world.heard);
        assertEquals(3, world.errors.size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"never", "$x", "room with spaces"})
    void gapOfARoomNeverJoinedIsIgnored(String name) {
        joined();
        gap(name, "e2", 7);
        assertEquals(List.of(), world.gaps);
        assertEquals(List.of(), world.errors);
    }

    @Test
    void gapWithoutReasonIsAGap() {
        joined();
        world.peer().send("{'type':'$gap','room':'r','data':{'epoch':'e2','offset':0}}");
        world.settle();
        assertEquals(List.of(new Gap("r", new Position("e2", 0), "unknown")), reloads);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{'epoch':'e2','offset':-1}", "{'offset':3}", "{}", "{'epoch':7}", "[]"})
    void gapWithoutAPlaceIsReportedAndHoldsNothing(String data) {
        joined();
        world.peer().send("{'type':'$gap','room':'r','data':" + data + "}");
        said(1, "one");
        assertEquals(List.of("one"), world.heard);
        assertEquals(1, world.errors.size());
    }

    @Test
    void gapAfterAnOverflowIsLoaded() {
        joined();
        gap("r", "e2", 0);
        said(1, "x".repeat((int) Reloads.ROOM_BYTES - 100));
        gap("r", "e3", 4);
        said(5, "new");
        loaded(null);
        assertEquals(List.of(at("e2", 0), at("e3", 4)), reloads);
        loaded(null);
        assertEquals(List.of("reload", "reload", "new"), world.heard);
    }

    @Test
    void stageThatFailedEndsNoLaterRun() {
        Repeating stage = new Repeating();
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        Subscription hook = room.onReload(gap -> stage);
        world.connected();
        var unused = room.join();
        world.settle();
        gap("r", "e2", 0);
        said(1, "held");
        stage.fail(0);
        world.advance(1_000);
        stage.complete(0);
        assertEquals(List.of(), world.heard);
        stage.complete(1);
        assertEquals(List.of("held"), world.heard);
        hook.close();
    }

    @Test
    void whatWasHeldOfRoomsThatAreLeftCountsNoMore() {
        joined();
        for (int i = 0; i < Reloads.ALL_BYTES / Reloads.ROOM_BYTES; i++) {
            gap("r", "e2", 0);
            said(1, "x".repeat((int) Reloads.ROOM_BYTES - 1_000));
            var left = room.leave();
            world.settle();
            var again = room.join();
            world.settle();
            assertTrue(left.isDone() && again.isDone());
        }
        gap("r", "e2", 0);
        said(1, "x".repeat((int) Reloads.ROOM_BYTES - 1_000));
        world.heard.clear();
        loaded(null);
        assertEquals(1, world.heard.size());
    }

    @Test
    void causeOfAFailedStageIsReported() {
        joined();
        gap("r", "e2", 0);
        loading.get(0).completeExceptionally(new CompletionException(new IllegalStateException("the cause")));
        world.settle();
        assertEquals("the cause", world.errors.get(0).getMessage());
    }

    @Test
    void payloadThatThrowsAnErrorCostsNoOtherHeldMessage() {
        joined();
        world.client().on(Event.of("chat.odd", Odd.class), odd -> world.heard.add("odd"));
        gap("r", "e2", 0);
        world.peer().send("{'type':'chat.odd','room':'r','offset':1,'data':{}}");
        said(2, "two");
        loaded(null);
        assertEquals(List.of("reload", "two"), world.heard);
        assertEquals("adapter", world.errors.get(0).getMessage());
    }

    @JsonAdapter(BrokenAdapter.class)
    record Odd() {}

    static final class BrokenAdapter extends TypeAdapter<Odd> {
        @Override
        public void write(JsonWriter out, Odd value) {
            throw new AssertionError("adapter");
        }

        @Override
        public Odd read(JsonReader in) {
            throw new AssertionError("adapter");
        }
    }
}
