package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.Subscription;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClientReloadTest {
    private final World world = new World();
    private final List<Gap> reloads = new ArrayList<>();
    private final List<CompletableFuture<@Nullable Position>> loading = new ArrayList<>();
    private final ClientRoom room = world.client().room("r");

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private CompletionStage<@Nullable Position> reload(Gap gap) {
        world.heard.add("reload");
        reloads.add(gap);
        CompletableFuture<@Nullable Position> stage = new CompletableFuture<>();
        loading.add(stage);
        return stage;
    }

    /** Joined to room r at e1/0, with a hook. */
    private Subscription joined() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        world.client().on(World.TYPING, typing -> world.heard.add(typing.data().text()));
        Subscription hook = room.onReload(this::reload);
        world.connected();
        var unused = room.join();
        world.settle();
        assertEquals(List.of(), reloads, "a first join is no gap");
        return hook;
    }

    private void gap(String name, String epoch, long offset) {
        world.peer()
                .send("{\"type\":\"$gap\",\"room\":\"" + name + "\",\"data\":{\"epoch\":\"" + epoch + "\",\"offset\":"
                        + offset + ",\"reason\":\"trimmed\"}}");
        world.settle();
    }

    private void said(long offset, String text) {
        world.peer().said("r", offset, text);
        world.settle();
    }

    private void loaded(@Nullable Position upTo) {
        loading.get(loading.size() - 1).complete(upTo);
        world.settle();
    }

    private void failed() {
        loading.get(loading.size() - 1).completeExceptionally(new IllegalStateException("store"));
        world.settle();
    }

    private static Gap at(String epoch, long offset) {
        return new Gap("r", new Position(epoch, offset), "trimmed");
    }

    @Test
    void theHookRunsBehindEarlierMessagesAndTheListenerAndHoldsLaterOnes() {
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
    void theListenerIsToldBeforeTheHookRunsAndMayThrow() {
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
    void otherRoomsFuturesAndTheListenerAreNotHeldUp() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.peer().said("s", 1, "other room");
        CompletableFuture<Void> sent = room.send(World.SAY, new World.Say("hello"));
        world.peer().send("{\"type\":\"$error\",\"data\":{\"code\":\"internal\"}}");
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
    void aPlaceAmongTheHeldSkipsThoseUpToIt() {
        joined();
        gap("r", "e2", 0);
        said(1, "one");
        said(2, "two");
        loaded(new Position("e2", 1));
        assertEquals(List.of("reload", "two"), world.heard);
    }

    @Test
    void aPlaceOfAnotherEpochSkipsNothing() {
        joined();
        gap("r", "e2", 0);
        said(1, "one");
        loaded(new Position("e1", 900));
        said(2, "two");
        assertEquals(List.of("reload", "one", "two"), world.heard);
    }

    @Test
    void whatWasLoadedSkipsNothingBehindTheNextGap() {
        Subscription hook = joined();
        gap("r", "e2", 0);
        loaded(new Position("e2", 100));
        hook.close();
        gap("r", "e2", 10);
        said(11, "eleven");
        assertEquals(List.of("reload", "eleven"), world.heard);
    }

    @Test
    void ephemeralMessagesAreDroppedWhileTheRoomIsHeldAndNotAfterwards() {
        joined();
        String typing = "{\"type\":\"chat.typing\",\"room\":\"r\",\"ts\":1,\"data\":{\"text\":\"typing\"}}";
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
    void aHookThatFailsRunsAgainAfterABackoffThatDoublesUpToThirtySeconds() {
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
    void aHookThatThrowsOrGivesNullIsAFailureToo() {
        world.client().on(World.SAID, said -> world.heard.add(said.data().text()));
        List<String> calls = new ArrayList<>();
        Subscription hook = room.onReload(ClientReloadTest.misbehaving(calls));
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
    void aHookThatWaitsRunsAtOnceWhenTheClientConnectsAgain() {
        joined();
        gap("r", "e2", 0);
        for (int i = 0; i < 6; i++) {
            failed();
            world.advance(30_000);
        }
        failed();
        int ran = reloads.size();
        world.joinReply = "{\"epoch\":\"e2\",\"offset\":0,\"recovered\":true,\"members\":1}";
        world.network.cutAll();
        world.advance(600);
        assertTrue(world.client().isConnected());
        assertEquals(ran + 1, reloads.size());
        world.advance(60_000);
        assertEquals(ran + 1, reloads.size(), "it runs");
    }

    @Test
    void aSecondGapDuringAReloadRunsTheHookOnceMoreAndDropsWhatWasHeldBefore() {
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
    void aGapWhileAFailedHookWaitsIsLoadedByItsNextRun() {
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
    void moreThanIsHeldIsDroppedAndLoadedByAnotherRun() {
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
        String frame = "{\"type\":\"chat.said\",\"room\":\"r\",\"ts\":1,\"data\":{\"text\":\"\"},\"offset\":1}";
        String all = "x".repeat((int) Reloads.ROOM_BYTES - (int) Callbacks.cost(frame.length()));
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
    void leavingEndsTheRetriesOfAFailedHook() {
        joined();
        gap("r", "e2", 0);
        failed();
        var unused = room.leave();
        world.advance(60_000);
        assertEquals(1, reloads.size());
    }

    @Test
    void aRoomTheServerTakesAwayIsNotHeldAnyMore() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.peer().send("{\"type\":\"$left\",\"room\":\"r\",\"data\":{\"epoch\":\"e2\",\"offset\":1}}");
        world.settle();
        loaded(null);
        assertEquals(List.of("reload"), world.heard);
    }

    @Test
    void leavingAndJoiningWhileTheLeaveWasNeverAskedKeepsTheHold() {
        joined();
        gap("r", "e2", 0);
        said(1, "held");
        world.resumed = true;
        world.rooms = "{\"r\":{\"epoch\":\"e2\",\"offset\":1,\"recovered\":true}}";
        world.joinReply = "{\"epoch\":\"e2\",\"offset\":1,\"recovered\":true,\"members\":1}";
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
    void closingTheSubscriptionHandsOverWhatIsHeldAndTheHookRunsNoMore() {
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

    @Test
    void closingTheSubscriptionBehindAnOverflowTellsOfWhatWasDropped() {
        Subscription hook = joined();
        gap("r", "e2", 0);
        said(1, "x".repeat((int) Reloads.ROOM_BYTES - 100));
        hook.close();
        world.settle();
        assertEquals(List.of(at("e2", 0), new Gap("r", new Position("e2", 1), Gap.OVERFLOW)), world.gaps);
    }

    @Test
    void aRoomHasOneHook() {
        Subscription first = room.onReload(this::reload);
        IllegalStateException refused = assertThrows(
                IllegalStateException.class, () -> world.client().room("r").onReload(this::reload));
        assertEquals("room 'r' has a reload hook already", refused.getMessage());
        first.close();
        room.onReload(this::reload).close();
    }

    @Test
    void aStageThatCompletesTwiceCountsOnce() {
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

        void complete(int run) {
            actions.get(run).accept(null, null);
            world.settle();
        }
    }

    @Test
    void aStageMayCompleteOnAnyThread() throws InterruptedException {
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
    void aHandlerThatThrowsCostsNoOtherHeldMessage() {
        joined();
        world.client().on(World.SAID, said -> {
            throw new AssertionError("handler");
        });
        gap("r", "e2", 0);
        said(1, "one");
        world.peer().send("{\"type\":\"chat.said\",\"room\":\"r\",\"offset\":2,\"data\":{\"text\":7}}");
        said(3, "three");
        loaded(null);
        assertEquals(List.of("reload", "one", "three"), world.heard);
        assertEquals(3, world.errors.size());
    }

    @Test
    void aGapAtTheRejoinHoldsWhatFollowsIt() {
        joined();
        said(5, "five");
        world.joinReply = "{\"epoch\":\"e2\",\"offset\":1,\"recovered\":false,\"reason\":\"epoch\",\"members\":1}";
        world.network.cutAll();
        world.advance(600);
        assertEquals(List.of(new Gap("r", new Position("e2", 1), "epoch")), reloads);
        said(2, "two");
        loaded(null);
        assertEquals(List.of("five", "reload", "two"), world.heard);
    }

    @ParameterizedTest
    @ValueSource(strings = {"never", "$x", "room with spaces"})
    void aGapOfARoomNeverJoinedIsIgnored(String name) {
        joined();
        gap(name, "e2", 7);
        assertEquals(List.of(), world.gaps);
        assertEquals(List.of(), world.errors);
    }

    @Test
    void aGapWithoutAReasonIsAGapAllTheSame() {
        joined();
        world.peer().send("{\"type\":\"$gap\",\"room\":\"r\",\"data\":{\"epoch\":\"e2\",\"offset\":0}}");
        world.settle();
        assertEquals(List.of(new Gap("r", new Position("e2", 0), "unknown")), reloads);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{\"epoch\":\"e2\",\"offset\":-1}", "{\"offset\":3}", "{}", "{\"epoch\":7}", "[]"})
    void aGapWithoutAPlaceIsReportedAndHoldsNothing(String data) {
        joined();
        world.peer().send("{\"type\":\"$gap\",\"room\":\"r\",\"data\":" + data + "}");
        said(1, "one");
        assertEquals(List.of("one"), world.heard);
        assertEquals(1, world.errors.size());
    }
}
