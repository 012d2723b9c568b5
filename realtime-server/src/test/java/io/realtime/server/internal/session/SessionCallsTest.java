package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.StreamListener;
import io.realtime.Subscription;
import io.realtime.server.Limits;
import io.realtime.server.Session;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a server requests of a client: replies and streams. */
class SessionCallsTest extends ServerCallsFixture {
    @Test
    void itemsAndMessagesOfClientKeepTheirOrder() {
        TestPeer ann = test.managed("ann");
        Subscription unused = sessions.get(0).stream(DIGITS, "go", new StreamListener<Integer>() {
            @Override
            public void onItem(Integer item) {
                said.add("item " + item);
            }

            @Override
            public void onEnd() {
                said.add("end");
            }

            @Override
            public void onError(Throwable why) {
                said.add("error " + why);
            }
        });
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        ann.post("{'type':'$next','ref':'" + ref + "','index':0,'seq':1,'data':1}");
        ann.post("{'type':'say','seq':2,'data':'2'}");
        ann.post("{'type':'$next','ref':'" + ref + "','index':1,'seq':3,'data':3}");
        ann.post("{'type':'say','seq':4,'data':'4'}");
        ann.post("{'type':'$end','ref':'" + ref + "','index':2,'seq':5}");
        ann.post("{'type':'say','seq':6,'data':'6'}");
        test.settle();
        assertEquals(List.of("item 1", "2", "item 3", "4", "end", "6"), said);
    }

    @Test
    void listenerThatEndsItsSessionIsToldAfterItReturns() {
        TestPeer ann = test.managed("ann");
        Session session = sessions.get(0);
        List<String> heard = new ArrayList<>();
        for (String name : List.of("a", "b")) {
            Subscription unused = session.stream(DIGITS, name, new StreamListener<Integer>() {
                @Override
                public void onItem(Integer item) {
                    heard.add(name + " begins");
                    session.disconnect("enough");
                    heard.add(name + " returns");
                }

                @Override
                public void onEnd() {
                    heard.add(name + " ended");
                }

                @Override
                public void onError(Throwable why) {
                    heard.add(name + " failed");
                }
            });
        }
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        ann.send("{'type':'$next','ref':'" + ref + "','index':0,'seq':1,'data':1}");
        assertEquals(List.of("a begins", "a returns"), heard.subList(0, 2));
        assertEquals(4, heard.size(), heard::toString);
        assertTrue(heard.containsAll(List.of("a failed", "b failed")), heard::toString);
    }

    @Test
    void answerDoesNotWaitForTheMessagesBeforeIt() {
        CompletableFuture<Boolean> rule = new CompletableFuture<>();
        test = start(builder -> builder.allowSendAsync((session, event, room) -> rule));
        TestPeer ann = test.managed("ann");
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "four");
        test.settle();
        String ref = ann.next("length").get("ref").getAsString();
        ann.send("{'type':'say','room':'r','seq':1,'data':'waits'}");
        ann.send("{'type':'$reply','ref':'" + ref + "','seq':2,'data':4}");
        assertEquals(4, length.getNow(0));
        assertEquals(List.of(), said);
        assertFalse(ann.types().contains("$ack"), "the answer is acknowledged in its turn");
        rule.complete(true);
        test.time.advance(Duration.ofMillis(200));
        assertEquals(List.of("waits"), said);
        assertEquals(2, ann.data("$ack").get("seq").getAsInt());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void answersToUnknownRequestsAreDropped(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        for (int round = 0; round < 2; round++) {
            for (String type : List.of("$reply", "$next", "$end", "$error")) {
                ann.send("{'type':'" + type + "','ref':'x-1','data':7}");
                ann.send("{'type':'" + type + "'}");
            }
            CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "four");
            test.settle();
            String ref = ann.next("length").get("ref").getAsString();
            ann.send("{'type':'$reply','ref':'" + ref + "','data':4}");
            assertEquals(4, length.join());
        }
        assertNull(ann.closed());
        assertEquals(List.of(), errors);
    }

    // ---- asking a client

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void clientsReplyCompletesTheRequest(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "four");
        test.settle();
        JsonObject question = ann.next("length");
        assertEquals("four", question.get("data").getAsString());
        String ref = question.get("ref").getAsString();
        assertFalse(length.isDone());
        ann.send("{'type':'$reply','ref':'" + ref + "','data':4}");
        assertEquals(4, length.join());
        ann.send("{'type':'$reply','ref':'" + ref + "','data':5}");
        assertEquals(4, length.join());
        assertFalse(ann.types().contains("$error"), ann.received().toString());
    }

    @Test
    void incompleteErrorOfClientFailsTheRequest() {
        TestPeer ann = test.managed("ann");
        for (String data : List.of(
                "{'code':'forbidden','message':'no','retryable':false}",
                "{'code':'forbidden'}",
                "{'code':'forbidden','message':null}")) {
            CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "x");
            test.settle();
            ann.send("{'type':'$error','ref':'" + ann.next("length").get("ref").getAsString() + "','data':" + data
                    + "}");
            assertEquals(ErrorCode.FORBIDDEN, failure(length), data);
            assertTrue(assertThrows(ExecutionException.class, length::get).getCause() instanceof RemoteException);
        }
    }

    @Test
    void replyThatDoesNotFitFailsTheRequest() {
        TestPeer ann = test.managed("ann");
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "x");
        test.settle();
        ann.send("{'type':'$reply','ref':'" + ann.next("length").get("ref").getAsString() + "','data':'x'}");
        assertTrue(assertThrows(ExecutionException.class, length::get).getCause() instanceof PayloadException);
    }

    @Test
    void requestEndsWithItsTimeoutAndALateReplyIsDropped() {
        TestPeer ann = test.managed("ann");
        CompletableFuture<Integer> length = sessions.get(0).request(LENGTH, "x", Duration.ofSeconds(2));
        test.time.advance(Duration.ofMillis(1_999));
        assertFalse(length.isDone());
        test.time.advance(Duration.ofMillis(1));
        assertEquals(ErrorCode.TIMEOUT, failure(length));
        ann.send("{'type':'$reply','ref':'" + ann.next("length").get("ref").getAsString() + "','data':1}");
        assertNull(ann.closed());
        assertThrows(IllegalArgumentException.class, () -> sessions.get(0).request(LENGTH, "x", Duration.ZERO));
    }

    @Test
    void requestsOfEndedSessionFail() {
        test.managed("ann");
        CompletableFuture<Integer> before = sessions.get(0).request(LENGTH, "x");
        Heard heard = new Heard();
        sessions.get(0).stream(DIGITS, "pi", heard);
        sessions.get(0).disconnect("enough");
        CompletableFuture<Integer> after = sessions.get(0).request(LENGTH, "x");
        Heard tooLate = new Heard();
        sessions.get(0).stream(DIGITS, "pi", tooLate);
        test.settle();
        assertEquals(ErrorCode.CONNECTION_LOST, failure(before));
        assertEquals(ErrorCode.CONNECTION_LOST, failure(after));
        assertEquals(ErrorCode.CONNECTION_LOST, heard.failure());
        assertEquals(ErrorCode.CONNECTION_LOST, tooLate.failure());
    }

    @Test
    void thousandQuestionsMayBeOpen() {
        test.managed("ann");
        for (int i = 0; i < 1_000; i++) {
            var unused = sessions.get(0).request(LENGTH, "x");
        }
        CompletableFuture<Integer> more = sessions.get(0).request(LENGTH, "x");
        test.settle();
        assertEquals(ErrorCode.OVERLOADED, failure(more));
    }

    @Test
    void tooLargeRequestIsRefusedToTheCaller() {
        start(builder -> builder.limits(
                Limits.builder().messageBytes(1_000).outboundBytes(4_000).build()));
        test.managed("ann");
        RealtimeException tooBig =
                assertThrows(RealtimeException.class, () -> sessions.get(0).request(LENGTH, "x".repeat(5_000)));
        assertEquals(ErrorCode.TOO_BIG, tooBig.code());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void clientsStreamComesInOrderAndIsAskedForMore(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        Heard heard = new Heard();
        sessions.get(0).stream(DIGITS, "pi", heard);
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        for (int i = 0; i < 32; i++) {
            ann.post("{'type':'$next','ref':'" + ref + "','index':" + i + ",'data':" + i + "}");
        }
        test.settle();
        assertEquals(32, heard.items.size());
        assertEquals(96, ann.data("$credit").getAsJsonObject("streams").get(ref).getAsInt());
        ann.send("{'type':'$end','ref':'" + ref + "','index':32}");
        assertEquals(1, heard.ends);
        assertEquals(List.of(), heard.failures);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'type':'$next','ref':'REF','index':1,'data':1}",
                "{'type':'$next','ref':'REF','data':1}",
                "{'type':'$next','ref':'REF','index':0,'data':'x'}",
                "{'type':'$next','ref':'REF','index':0}"
            })
    void malformedClientStreamIsCancelled(String frame) {
        TestPeer ann = test.managed("ann");
        Heard heard = new Heard();
        sessions.get(0).stream(DIGITS, "pi", heard);
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        ann.send(frame.replace("REF", ref));
        assertEquals(1, heard.failures.size());
        assertEquals(ref, ann.next("$cancel").get("ref").getAsString());
        assertEquals(List.of(), heard.items);
        ann.send("{'type':'$next','ref':'" + ref + "','index':0,'data':1}");
        assertEquals(List.of(), heard.items);
    }

    @Test
    void itemsBeyondTheMailboxCloseTheConnection() {
        TestPeer ann = test.managed("ann");
        Subscription unused = sessions.get(0).stream(DIGITS, "pi", new Heard());
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        test.executor.hold();
        for (int i = 0; i < 1_025; i++) {
            ann.post("{'type':'$next','ref':'" + ref + "','index':" + i + ",'data':" + i + "}");
        }
        test.settle();
        assertEquals(CloseReason.OVERLOADED, ann.closeCode());
    }

    @Test
    void cancelledClientStreamIsNotDelivered() {
        TestPeer ann = test.managed("ann");
        Heard heard = new Heard();
        Subscription open = sessions.get(0).stream(DIGITS, "pi", heard);
        test.settle();
        String ref = ann.next("digits").get("ref").getAsString();
        open.close();
        open.close();
        ann.send("{'type':'$next','ref':'" + ref + "','index':0,'data':1}");
        assertEquals(ref, ann.next("$cancel").get("ref").getAsString());
        assertFalse(ann.types().contains("$cancel"));
        assertEquals(List.of(), heard.items);
        assertEquals(List.of(), heard.failures);
    }
}
