package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.client.internal.room.HistoryReader;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ClientHistoryTest {
    private final World world = new World();
    private final ClientRoom room = world.client().room("r");

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private CompletableFuture<HistoryPage> ask(HistoryQuery query) {
        CompletableFuture<HistoryPage> page = room.history(query);
        world.settle();
        return page;
    }

    private Envelope asked() {
        List<Envelope> all = world.peer().all(Protocol.HISTORY);
        return all.get(all.size() - 1);
    }

    private Protocol.HistoryRequest query() {
        return asked().data(Protocol.HistoryRequest.class);
    }

    private void answer(String data) {
        world.peer().send("{'type':'$reply','ref':'" + asked().ref() + "','room':'r','data':" + data + "}");
        world.settle();
    }

    private void answer(String epoch, boolean more, long next, String... messages) {
        answer(epoch, more, next, 0, messages);
    }

    private void answer(String epoch, boolean more, long next, long floor, String... messages) {
        answer("{'epoch':'" + epoch + "','messages':[" + String.join(",", messages) + "],'more':" + more + ",'next':"
                + next + ",'floor':" + floor + "}");
    }

    private static String said(long offset) {
        return "{'type':'chat.said','room':'r','from':'bob','ts':" + offset + "000,'data':{'text':'m" + offset
                + "'},'offset':" + offset + "}";
    }

    private static RealtimeException failureOf(CompletableFuture<?> future) {
        assertTrue(future.isDone(), String.valueOf(future));
        Throwable failure = assertThrows(ExecutionException.class, future::get).getCause();
        return (RealtimeException) Objects.requireNonNull(failure);
    }

    private static List<String> texts(HistoryPage page) {
        return page.messages(World.SAID).stream().map(m -> m.data().text()).toList();
    }

    @Test
    void pageHasMessagesOfEventInOrderWithPlaceSenderAndTime() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(50));
        assertEquals("r", asked().room());
        assertEquals(new Protocol.HistoryRequest(null, null, 50), query());
        answer("e5", false, 3, said(3), "{'type':'other','room':'r','ts':1,'offset':4}", said(7));
        HistoryPage page = asking.join();
        List<Message<World.Say>> messages = page.messages(World.SAID);
        assertEquals(List.of("m3", "m7"), texts(page));
        assertEquals(new Position("e5", 3), messages.get(0).position());
        assertEquals("bob", messages.get(0).from());
        assertEquals("r", messages.get(0).room());
        assertEquals(Instant.ofEpochMilli(3_000), messages.get(0).timestamp());
        assertEquals(new Position("e5", 7), page.position());
        assertFalse(page.more());
        assertThrows(IllegalStateException.class, page::next);
        assertEquals(List.of(), world.heard, "no handler is called");
    }

    @Test
    void nextReadsTheOlderPage() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(2));
        answer("e5", true, 8, said(8), said(9));
        asking = ask(asking.join().next());
        assertEquals(new Protocol.HistoryRequest(null, 8L, 2), query());
        answer("e5", true, 6, said(6), said(7));
        asking = ask(asking.join().next());
        assertEquals(new Protocol.HistoryRequest(null, 6L, 2), query());
        answer("e5", false, 4);
        assertEquals(new Position("e5", 0), asking.join().position());
        assertEquals(List.of(), texts(asking.join()));
    }

    @Test
    void nextReadsTheNewerPage() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.after(new Position("e5", 3), 2));
        assertEquals(new Protocol.HistoryRequest(3L, null, 2), query());
        answer("e5", true, 5, said(4), said(5));
        asking = ask(asking.join().next());
        assertEquals(new Protocol.HistoryRequest(5L, null, 2), query());
        answer("e5", false, 5);
        assertEquals(new Position("e5", 5), asking.join().position());
    }

    @Test
    void nextContinuesAfterAPageOfFilteredMessages() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(2));
        answer("e5", true, 8);
        assertEquals(List.of(), texts(asking.join()));
        assertEquals(
                HistoryQuery.before(new Position("e5", 8), 2), asking.join().next());
        asking = ask(HistoryQuery.after(new Position("e5", 3), 2));
        answer("e5", true, 5);
        assertEquals(new Position("e5", 5), asking.join().position());
        assertEquals(HistoryQuery.after(new Position("e5", 5), 2), asking.join().next());
    }

    @Test
    void readerIsToldWhatIsNoLongerKept() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.after(new Position("e5", 3), 2));
        answer("e5", true, 6, 4, said(5), said(6));
        assertTrue(asking.join().trimmed(), "4 came behind 3");
        asking = ask(asking.join().next());
        answer("e5", false, 7, 6, said(7));
        assertFalse(asking.join().trimmed(), "6 was the last that was read");
        asking = ask(HistoryQuery.newest(1));
        answer("e5", true, 7, 5, said(7));
        assertFalse(asking.join().trimmed(), "there is more");
        asking = ask(asking.join().next());
        answer("e5", false, 6, 5, said(6));
        assertTrue(asking.join().trimmed());
        asking = ask(HistoryQuery.newest(1));
        answer("e5", false, 1, said(1));
        assertFalse(asking.join().trimmed());
    }

    @Test
    void pageWithoutProgressFails() {
        world.connected();
        for (long next : List.of(-1L, 3L, 4L, 5L)) {
            CompletableFuture<HistoryPage> asking = ask(HistoryQuery.after(new Position("e", 4), 10));
            answer("e", true, next, said(6));
            assertEquals(ErrorCode.BAD_DATA, failureOf(asking).code(), "next " + next);
        }
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.after(new Position("e", 4), 10));
        answer("e", true, 4);
        assertEquals(ErrorCode.BAD_DATA, failureOf(asking).code());
    }

    @Test
    void pageOfAnotherEpochFails() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.before(new Position("old", 30), 10));
        answer("new", false, 3, said(3));
        assertEquals(ErrorCode.of("epoch"), failureOf(asking).code());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void messageThatDoesNotFitIsReportedAndCostsNoOther() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(9));
        answer("e", false, 1, said(1), "{'type':'chat.said','room':'r','offset':2,'data':{'text':7}}", said(3));
        assertEquals(List.of("m1", "m3"), texts(asking.join()));
        world.settle();
        assertEquals(1, world.errors.size());
    }

    @Test
    void messageWhosePayloadFailsWithAnErrorCostsNoOther() {
        record Broken(String text) {
            static {
                defect();
            }

            private static void defect() {
                throw new NoClassDefFoundError("loaded lazily");
            }
        }
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(9));
        answer("e", false, 1, said(1));
        assertEquals(List.of(), asking.join().messages(Event.of("chat.said", Broken.class)));
        world.settle();
        assertEquals(1, world.errors.size());
    }

    @Test
    void refusalFails() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(9));
        world.peer()
                .send("{'type':'$error','ref':'" + asked().ref()
                        + "','data':{'code':'forbidden','message':'no','retryable':false}}");
        world.settle();
        RealtimeException failure = failureOf(asking);
        assertEquals(RemoteException.class, failure.getClass());
        assertEquals(ErrorCode.FORBIDDEN, failure.code());
        world.advance(60_000);
        assertTrue(world.client().isConnected());
    }

    @Test
    void askedWhileOfflineItFailsAtOnce() {
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(9));
        assertEquals(ErrorCode.CONNECTION_LOST, failureOf(asking).code());
        assertTrue(failureOf(asking).isRetryable());
    }

    @Test
    void connectionLostBeforeTheAnswerFailsIt() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(9));
        Envelope question = asked();
        world.network.cutAll();
        world.settle();
        assertEquals(ErrorCode.CONNECTION_LOST, failureOf(asking).code());
        assertTrue(failureOf(asking).isRetryable());
        world.advance(1_000);
        assertEquals(0, world.peer().all(Protocol.HISTORY).size(), "the caller asks again");
        world.peer().send("{'type':'$reply','ref':'" + question.ref() + "','data':7}");
        world.settle();
        assertEquals(List.of(), world.errors);
    }

    @Test
    void disconnectAndCloseFailIt() {
        world.connected();
        CompletableFuture<HistoryPage> first = ask(HistoryQuery.newest(9));
        world.client().disconnect();
        world.settle();
        assertEquals(ErrorCode.CLOSED, failureOf(first).code());
        world.connected();
        CompletableFuture<HistoryPage> second = ask(HistoryQuery.newest(9));
        world.client().close();
        world.settle();
        assertEquals(ErrorCode.CLOSED, failureOf(second).code());
        assertEquals(ErrorCode.CLOSED, failureOf(ask(HistoryQuery.newest(9))).code());
    }

    @Test
    void serverThatNeverAnswersFailsItAfterThirtySeconds() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.newest(9));
        world.advance(29_979);
        assertFalse(asking.isDone());
        world.advance(1);
        assertEquals(ErrorCode.of("timeout"), failureOf(asking).code());
        answer("e", false, 1); // too late
        assertEquals(List.of(), world.errors);
    }

    @Test
    void answerLeavesNoTimer() {
        world.connected();
        int before = world.time.pending();
        var answered = ask(HistoryQuery.newest(9));
        answer("e", false, 1);
        assertTrue(answered.isDone());
        assertEquals(before, world.time.pending());
        var lost = ask(HistoryQuery.newest(9));
        world.client().close();
        world.advance(15_000); // the question's would be due after 30 s
        assertTrue(lost.isDone());
        assertEquals(0, world.time.pending());
    }

    @Test
    void tooManyOpenQuestionsAreRefusedUntilOneIsAnswered() {
        world.connected();
        List<CompletableFuture<HistoryPage>> open = new ArrayList<>();
        for (int i = 0; i < HistoryReader.MOST; i++) {
            open.add(ask(HistoryQuery.newest(9)));
        }
        assertEquals(
                ErrorCode.OVERLOADED, failureOf(ask(HistoryQuery.newest(9))).code());
        answer("e", false, 1);
        assertTrue(open.get(HistoryReader.MOST - 1).isDone());
        assertFalse(ask(HistoryQuery.newest(9)).isDone());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "7",
                "[]",
                "{}",
                "{'epoch':'e'}",
                "{'messages':[]}",
                "{'epoch':'e','messages':{}}",
                "{'epoch':'e','messages':[],'more':'yes'}",
                "{'epoch':'e','messages':[null]}",
                "{'epoch':'e','messages':[{}]}",
                "{'epoch':'e','messages':[{'type':'a'}]}",
                "{'epoch':'e','messages':[{'type':'a','offset':-4}]}",
                "{'epoch':'e','messages':[{'type':'$ack','offset':4}]}",
                "{'epoch':'e','messages':[{'type':'a','offset':4},{'type':'a','offset':4}]}",
                "{'epoch':'e','messages':[{'type':'a','offset':5},{'type':'a','offset':4}]}",
                "{'epoch':'e','messages':[{'type':'a','offset':9}]}",
                "{'epoch':'e','messages':[{'type':'a','offset':4}],'floor':4}",
                "{'epoch':'e','messages':[],'floor':-1}",
                "{'epoch':'e','messages':[],'more':true}",
                "{'epoch':'e','messages':[],'more':true,'next':9}",
                "{'epoch':'e','messages':[{'type':'a','offset':4}],'more':true,'next':5}"
            })
    void answerThatMakesNoSenseFails(String data) {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.before(new Position("e", 9), 10));
        answer(data);
        ErrorCode code = failureOf(asking).code();
        assertTrue(code.equals(ErrorCode.BAD_DATA) || code.equals(ErrorCode.BAD_MESSAGE), code.toString());
        assertTrue(world.client().isConnected());
    }

    @Test
    void messagesBeforeTheRequestedPositionFail() {
        world.connected();
        CompletableFuture<HistoryPage> asking = ask(HistoryQuery.after(new Position("e", 4), 10));
        answer("e", false, 4, said(4));
        assertEquals(ErrorCode.BAD_DATA, failureOf(asking).code());
    }

    @ParameterizedTest
    @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 1_001})
    void limitOutOfBoundsIsRefusedNamingIt(int limit) {
        IllegalArgumentException refused =
                assertThrows(IllegalArgumentException.class, () -> HistoryQuery.newest(limit));
        assertEquals("limit " + limit + " is not 1 to 1000", refused.getMessage());
    }

    @Test
    void historyBeforeAndAfterAtOnceIsRefused() {
        Position place = new Position("e", 1);
        assertThrows(IllegalArgumentException.class, () -> new HistoryQuery(1, place, place));
        assertNull(HistoryQuery.newest(1_000).before());
    }

    @Test
    void historyIsRequestedAfterEarlierMessages() {
        world.connected();
        world.peer().frames.clear();
        var sent = room.send(World.SAY, new World.Say("first"));
        var page = ask(HistoryQuery.newest(1));
        assertTrue(sent.isDone() && !page.isDone());
        assertEquals(
                List.of("chat.say", Protocol.HISTORY),
                world.peer().frames.stream().map(Envelope::type).toList());
    }

    @Test
    void reloadFromHistoryHandsOverEachMessageOnce() {
        List<String> shown = new ArrayList<>();
        room.on(World.SAID, said -> shown.add(said.data().text()));
        var hook = room.onReload(gap -> room.history(HistoryQuery.newest(50)).thenApply(page -> {
            shown.clear();
            shown.addAll(texts(page));
            return page.position();
        }));
        world.connected();
        var joined = room.join();
        world.settle();
        assertTrue(joined.isDone());
        world.peer().said("r", 1, "m1");
        world.peer().send("{'type':'$gap','room':'r','data':{'epoch':'e2','offset':4,'reason':'epoch'}}");
        world.peer().said("r", 5, "m5");
        world.settle();
        answer("e2", true, 3, said(3), said(4), said(5), said(6)); // the last still on its way
        world.peer().said("r", 6, "m6");
        world.peer().said("r", 7, "m7");
        world.settle();
        assertEquals(List.of("m3", "m4", "m5", "m6", "m7"), shown);
        hook.close();
    }
}
