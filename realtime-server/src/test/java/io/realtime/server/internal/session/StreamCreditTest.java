package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.realtime.CloseReason;
import io.realtime.server.internal.TestServer.TestPeer;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The credit that a client grants: what it allows, and what is too much of it. */
class StreamCreditTest extends ServerCallsFixture {
    @Test
    void creditThatGrantsNothingNewIsBoundedLikePings() {
        TestPeer page = test.plain("ann");
        page.send(ask("q", 10_000));
        for (int i = 1; i <= 300; i++) {
            page.post(credit("{'streams':{'q':1}}"));
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, page.closeCode());
    }

    // ---- hostile words

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void creditThatGrantsNothingIsBoundedLikePings(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 100));
        for (int i = 0; i < 250; i++) {
            ann.post("{'type':'$credit','data':{'streams':{'q':64,'r':" + (100 + i) + "}}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void creditThatNoItemUsesIsBoundedLikePingsHoweverItGrows(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", -1)); // produces nothing
        for (int i = 0; i < 250; i++) {
            ann.post("{'type':'$credit','data':{'streams':{'q':" + (65 + i) + "}}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void creditPerItemIsNotRateLimited(boolean isManaged) {
        TestPeer ann = peer(isManaged);
        ann.send(ask("q", 1_000));
        for (int i = 1; i <= 640; i++) {
            String data = "{\"read\":" + i + ",\"streams\":{\"q\":" + (64 + i) + "}}";
            ann.post("{'type':'$credit','data':" + data + "}");
            if (i % 64 == 0) { // no more than it has got
                test.settle();
            }
        }
        assertEquals(704, items(ann, "q").size());
        assertNull(ann.closed());
    }

    @Test
    void creditOfEndedStreamIsNotRateLimited() {
        TestPeer ann = peer(false);
        for (int batch = 0; batch < 3; batch++) {
            for (int i = 0; i < 50; i++) {
                ann.send(ask("q" + i, 64));
            }
            test.settle();
            for (int i = 0; i < 50; i++) {
                credit(ann, "q" + i, 96);
                credit(ann, "q" + i, 128);
            }
        }
        test.settle();
        assertNull(ann.closed());
    }

    @Test
    void creditOfAStreamThatHasEndedIsBoundedByItsItems() {
        TestPeer ann = peer(false);
        ann.send(ask("q", 40));
        test.settle();
        for (int i = 0; i < 240; i++) { // as many as items, and as many as pings at once
            credit(ann, "q", 96);
        }
        test.settle();
        assertNull(ann.closed());
        for (int i = 0; i < 10; i++) {
            credit(ann, "q", 96);
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @Test
    void repeatedInboxPositionIsRateLimitedLikePings() {
        TestPeer ann = test.managed("ann");
        ann.send(ask("q", 100));
        for (int i = 0; i < 300; i++) {
            ann.post("{'type':'$credit','data':{'read':" + (i + 1) + "}}");
        }
        test.settle();
        assertEquals(CloseReason.RATE_LIMITED, ann.closeCode());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null",
                "7",
                "'x'",
                "[]",
                "{}",
                "{'read':null,'streams':null}",
                "{'read':-1}",
                "{'read':-9223372036854775808}",
                "{'read':1e300}",
                "{'read':'x'}",
                "{'read':{}}",
                "{'read':0.5}",
                "{'streams':7}",
                "{'streams':[1,2]}",
                "{'streams':{'q':null}}",
                "{'streams':{'q':-1}}",
                "{'streams':{'q':-9223372036854775808}}",
                "{'streams':{'q':1e300}}",
                "{'streams':{'q':99999999999999999999999}}",
                "{'streams':{'q':'x'}}",
                "{'streams':{'q':{'q':1}}}",
                "{'streams':{'':100}}",
                "{'streams':{'r':100}}"
            })
    void malformedCreditIsIgnored(String data) {
        for (TestPeer ann : List.of(test.managed("ann"), test.plain("bob"))) {
            ann.send(ask("q", 100));
            ann.send(credit(data));
            assertEquals(64, items(ann, "q").size(), data);
            ann.send(credit("{'streams':{'q':100}}"));
            assertEquals(100, items(ann, "q").size(), data);
            assertNull(ann.closed());
        }
        assertEquals(List.of(), errors);
    }

    @Test
    void inboxPositionBeyondTheEndLosesNoMessages() {
        TestPeer ann = test.managed("ann");
        ann.send(ask("q", 100));
        ann.send(credit("{'read':9223372036854775807,'streams':{'q':100}}"));
        assertEquals(100, items(ann, "q").size());
        ann.next("$end");
        sessions.get(0).send(SAY, "still here");
        test.settle();
        assertEquals("still here", ann.next("say").get("data").getAsString());
        assertNull(ann.closed());
    }

    @Test
    void streamsOfOthersCannotBeGrantedOrCancelled() {
        TestPeer ann = test.managed("ann");
        TestPeer bob = test.managed("bob");
        TestPeer eve = test.plain("eve");
        ann.send(ask("q", 100));
        bob.send(ask("r", 100));
        for (TestPeer other : List.of(bob, eve)) {
            other.send("{'type':'$cancel','ref':'q'}");
            other.send("{'type':'$cancel'}");
            other.send(credit("{'streams':{'q':100}}"));
        }
        assertEquals(64, items(ann, "q").size());
        assertFalse(sinks.get(0).isCancelled());
    }
}
