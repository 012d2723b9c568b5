package io.realtime.internal.calls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Envelope;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

class OpenRequestsTest {
    private final RealtimeException gone = new RealtimeException(ErrorCode.CONNECTION_LOST, "gone");

    private final OpenRequests requests = new OpenRequests("p-");
    private final List<String> fates = new ArrayList<>();

    private OpenRequests.AnswerHandler request(String name) {
        return new OpenRequests.AnswerHandler() {
            @Override
            public void reply(Envelope reply) {
                fates.add(name + " reply");
            }

            @Override
            public void item(Envelope item) {
                fates.add(name + " item");
            }

            @Override
            public void end(Envelope end) {
                fates.add(name + " end");
            }

            @Override
            public void failed(RealtimeException why) {
                fates.add(name + " " + why.code());
            }
        };
    }

    private static Envelope frame(String type, String ref) {
        return Envelope.parse("{\"type\":\"" + type + "\",\"ref\":\"" + ref + "\"}");
    }

    @Test
    void refsAreNeverUsedTwiceAndHaveThePrefix() {
        Set<String> refs = new HashSet<>();
        for (int i = 0; i < 1_000; i++) {
            String ref = requests.newRef();
            assertTrue(ref.startsWith("p-"), ref);
            assertTrue(refs.add(ref), ref);
        }
    }

    @Test
    void aThousandMayBeOpenAndTheNextIsRefusedUntilOneEnds() {
        for (int i = 0; i < OpenRequests.MOST; i++) {
            assertTrue(requests.open("r" + i, request("q" + i)));
        }
        assertFalse(requests.open("more", request("more")));
        assertNull(requests.get("more"));
        assertTrue(requests.reply(frame("$reply", "r7")));
        assertTrue(requests.open("more", request("more")));
        assertEquals(List.of("q7 reply"), fates);
    }

    @Test
    void aRequestEndsOnce() {
        requests.open("a", request("a"));
        requests.item(frame("$next", "a"));
        requests.item(frame("$next", "a"));
        requests.end(frame("$end", "a"));
        requests.item(frame("$next", "a"));
        requests.end(frame("$end", "a"));
        assertFalse(requests.reply(frame("$reply", "a")));
        assertFalse(requests.fail("a", gone));
        assertFalse(requests.close("a"));
        assertEquals(List.of("a item", "a item", "a end"), fates);
        assertTrue(requests.isEmpty());
    }

    @Test
    void whatIsClosedHearsNothing() {
        requests.open("a", request("a"));
        assertTrue(requests.close("a"));
        assertFalse(requests.reply(frame("$reply", "a")));
        requests.failAll(gone);
        assertEquals(List.of(), fates);
    }

    @Test
    void answersToNobodysRequestAreDropped() {
        requests.open("a", request("a"));
        Envelope without = Envelope.parse("{\"type\":\"$reply\"}");
        assertFalse(requests.reply(without));
        requests.item(without);
        requests.end(without);
        assertFalse(requests.fail(null, gone));
        assertFalse(requests.reply(frame("$reply", "b")));
        requests.item(frame("$next", "b"));
        requests.end(frame("$end", "b"));
        assertEquals(List.of(), fates);
        assertFalse(requests.isEmpty());
    }

    @Test
    void allEndOnceWhenAllFail() {
        requests.open("a", request("a"));
        requests.open("b", request("b"));
        requests.failAll(gone);
        requests.failAll(gone);
        fates.sort(String::compareTo);
        assertEquals(List.of("a connection_lost", "b connection_lost"), fates);
        assertTrue(requests.isEmpty());
    }
}
