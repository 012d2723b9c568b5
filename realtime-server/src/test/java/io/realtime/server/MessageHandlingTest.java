package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.CloseReason;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What becomes of a message that a peer sends: handled, answered or refused. */
class MessageHandlingTest extends ChatServerFixture {
    // ------------------------------------------------------------ requests and errors

    @Test
    void requestGetsItsDataBackUnchanged() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'echo','ref':'r1','data':{'a':[1,2.50,null,'<&>'],'big':9007199254740993}}");
        JsonObject reply = ann.next("$reply");
        assertEquals("r1", reply.get("ref").getAsString());
        assertEquals(
                "{\"a\":[1,2.50,null,\"<&>\"],\"big\":9007199254740993}",
                reply.get("data").toString());
        ann.send("{'type':'echo','ref':'r2'}");
        assertTrue(ann.next("$reply").get("data").isJsonNull());
    }

    @Test
    void managedReplyTravelsThroughTheSessionsInbox() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'echo','ref':'r','seq':1,'data':1}");
        JsonObject reply = ann.next("$reply");
        assertEquals("@session", reply.get("room").getAsString());
        assertEquals(1, reply.get("offset").getAsLong());
    }

    @Test
    void asynchronousReplyDelaysNothing() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'later','ref':'slow','data':1}");
        ann.send("{'type':'echo','ref':'quick','data':1}");
        assertEquals("quick", ann.next("$reply").get("ref").getAsString());
        later.complete(5);
        test.settle();
        JsonObject reply = ann.next("$reply");
        assertEquals("slow", reply.get("ref").getAsString());
        assertEquals(5, reply.get("data").getAsInt());
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "nonsense | bad_message",
                "[] | bad_message",
                "{'data':1} | bad_message",
                "{'type':'no good'} | bad_message",
                "{'type':'say','seq':'1'} | bad_message",
                "{'type':'$nothing'} | unknown_type",
                "{'type':'nothing','ref':'r'} | no_handler",
                "{'type':'nothing','seq':1} | no_handler",
                "{'type':'say','data':{'text':1}} | bad_data",
                "{'type':'say','data':{}} | bad_data",
                "{'type':'say'} | bad_data",
                "{'type':'echo','data':1} | bad_message",
                "{'type':'fail'} | internal",
                "{'type':'unwritable'} | internal",
                "{'type':'refuse','ref':'r'} | sold_out",
                "{'type':'$join','room':'chat:1','data':{'since':5}} | bad_data",
                "{'type':'$history','room':'chat:1','data':{'limit':'x'}} | bad_data",
            })
    void badInputIsReportedAndConnectionStays(String json, String code) {
        TestPeer ann = test.plain("ann");
        assertEquals(code, ann.errorOf(json));
        ann.send("{'type':'echo','ref':'r','data':1}");
        ann.next("$reply");
        assertNull(ann.closed());
    }

    @Test
    void errorNamesTheSeqAndTheMessageCountsAsProcessed() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'fail','seq':1}");
        ann.send("{'type':'say','seq':2,'data':{'text':5}}");
        JsonObject failed = ann.next("$error");
        assertEquals(1, failed.get("seq").getAsLong());
        assertFalse(failed.toString().contains("secret"), "details stay in the log");
        JsonObject unfit = ann.next("$error");
        assertEquals(2, unfit.get("seq").getAsLong());
        assertTrue(unfit.toString().contains("$.text"), unfit.toString());
        test.time.advance(Duration.ofMillis(100));
        assertEquals(2, ann.data("$ack").get("seq").getAsLong());
        assertTrue(life.contains("error secret detail"));
    }

    @Test
    void messageOfPayloadRefusalReachesTheSender() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'say','data':{}}");
        assertEquals("text is required", ann.data("$error").get("message").getAsString());
    }

    @Test
    void unhandledEventWithoutRefIsIgnored() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'nothing'}");
        assertEquals(List.of(), ann.types());
    }

    @Test
    void tenthBadMessageWithinAMinuteCloses() {
        TestPeer ann = test.plain("ann");
        for (int i = 0; i < 9; i++) {
            ann.send("nonsense");
        }
        assertNull(ann.closed());
        ann.send("nonsense");
        assertEquals(CloseReason.PROTOCOL_ERROR, ann.closeCode());
        TestPeer bob = test.plain("bob");
        for (int i = 0; i < 9; i++) {
            bob.send("nonsense");
        }
        test.time.advance(Duration.ofSeconds(61));
        bob.send("nonsense");
        assertNull(bob.closed());
    }

    @Test
    void pingIsAnsweredWithItsData() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$ping','data':{'n':1}}");
        assertEquals(1, ann.data("$pong").get("n").getAsInt());
    }

    @Test
    void pingWhoseDataCannotBeSentBackIsAnsweredByAnError() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$ping','ref':'7','data':'\\ud83d'}");
        JsonObject answer = ann.next("$error");
        assertEquals("7", answer.get("ref").getAsString());
        assertEquals("bad_data", answer.getAsJsonObject("data").get("code").getAsString());
        assertNull(ann.closed());
    }

    // ------------------------------------------------------------ bounds and time

    @Test
    void fromInTheEnvelopeIsIgnored() {
        TestPeer ann = test.plain("ann");
        ann.send("{'type':'$join','room':'chat:1'}");
        ann.send("{'type':'say','from':'root','room':'chat:1','data':{'text':'x'}}");
        assertEquals("ann", ann.next("said").get("from").getAsString());
    }
}
