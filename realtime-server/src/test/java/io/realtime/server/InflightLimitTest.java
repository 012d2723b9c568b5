package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What a client may have in flight, and when the server acknowledges it. */
class InflightLimitTest extends LimitsFixture {
    @Test
    void quarterOfInflightIsAcknowledgedAtOnce() {
        start(limits -> limits.inflight(8));
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 5; seq++) {
            ann.send(reliable(seq));
        }
        assertEquals(2, ann.data("$ack").get("seq").getAsLong());
        assertEquals(4, ann.data("$ack").get("seq").getAsLong());
        assertFalse(ann.types().contains("$ack"), "the fifth waits for others");
        test.time.advance(Duration.ofMillis(100));
        assertEquals(5, ann.data("$ack").get("seq").getAsLong());
        test.time.advance(Duration.ofSeconds(1));
        assertFalse(ann.types().contains("$ack"), "nothing is owed");
    }

    @Test
    void quarterOfInflightBytesIsAcknowledgedAtOnce() {
        start(limits -> limits.messageBytes(4_096)); // 32 KiB under way
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 5; seq++) {
            ann.send(reliable(seq) + " ".repeat(3_900));
        }
        assertEquals(3, ann.data("$ack").get("seq").getAsLong());
        assertFalse(ann.types().contains("$ack"), "the fourth and the fifth wait for others");
        test.time.advance(Duration.ofMillis(100));
        assertEquals(5, ann.data("$ack").get("seq").getAsLong());
    }

    @Test
    void twoLongestMessagesAreAcknowledgedAtOnce() {
        start(limits -> limits.messageBytes(4_096)); // 32 KiB under way
        TestPeer ann = test.managed("ann");
        for (int seq = 1; seq <= 2; seq++) {
            ann.send(reliable(seq) + " ".repeat(4_096 - reliable(seq).length()));
        }
        assertEquals(2, ann.data("$ack").get("seq").getAsLong());
    }

    @Test
    void repetitionOfAMessageKeepsNoAcknowledgementBack() {
        TestPeer ann = test.managed("ann");
        ann.send(reliable(1));
        ann.send(reliable(1));
        test.time.advance(Duration.ofMillis(100));
        assertEquals(1, ann.data("$ack").get("seq").getAsLong());
    }

    /** As many as the protocol allows at once, while all wait for a thread. */
    @Test
    void longestRequestsAndMessagesFitInTheMailbox() {
        start(limits -> limits.messageBytes(1_000).rate(RateLimit.none()));
        TestPeer ann = test.managed("ann");
        test.executor.hold();
        for (int i = 0; i < 128; i++) {
            String room = "r".repeat(250) + i;
            ann.post("{'type':'$join','room':'" + room + "','ref':'" + "r".repeat(60) + i + "'}");
        }
        for (int seq = 1; seq <= 8; seq++) {
            ann.post((reliable(seq) + " ".repeat(960)));
        }
        test.settle();
        assertNull(ann.closed());
        assertEquals(List.of(), handled, "all wait");
        assertTrue(
                test.server.stats().waiting() >= 135, () -> test.server.stats().toString());
    }
}
