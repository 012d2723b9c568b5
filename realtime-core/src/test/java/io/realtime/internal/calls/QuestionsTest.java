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

class QuestionsTest {
    private final RealtimeException gone = new RealtimeException(ErrorCode.CONNECTION_LOST, "gone");

    private final Questions questions = new Questions("p-");
    private final List<String> fates = new ArrayList<>();

    private Questions.Question question(String name) {
        return new Questions.Question() {
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
            String ref = questions.newRef();
            assertTrue(ref.startsWith("p-"), ref);
            assertTrue(refs.add(ref), ref);
        }
    }

    @Test
    void aThousandMayBeOpenAndTheNextIsRefusedUntilOneEnds() {
        for (int i = 0; i < Questions.MOST; i++) {
            assertTrue(questions.open("r" + i, question("q" + i)));
        }
        assertFalse(questions.open("more", question("more")));
        assertNull(questions.get("more"));
        assertTrue(questions.reply(frame("$reply", "r7")));
        assertTrue(questions.open("more", question("more")));
        assertEquals(List.of("q7 reply"), fates);
    }

    @Test
    void aQuestionEndsOnce() {
        questions.open("a", question("a"));
        questions.item(frame("$next", "a"));
        questions.item(frame("$next", "a"));
        questions.end(frame("$end", "a"));
        questions.item(frame("$next", "a"));
        questions.end(frame("$end", "a"));
        assertFalse(questions.reply(frame("$reply", "a")));
        assertFalse(questions.fail("a", gone));
        assertFalse(questions.close("a"));
        assertEquals(List.of("a item", "a item", "a end"), fates);
        assertTrue(questions.isEmpty());
    }

    @Test
    void whatIsClosedHearsNothing() {
        questions.open("a", question("a"));
        assertTrue(questions.close("a"));
        assertFalse(questions.reply(frame("$reply", "a")));
        questions.failAll(gone);
        assertEquals(List.of(), fates);
    }

    @Test
    void answersToNobodysQuestionAreDropped() {
        questions.open("a", question("a"));
        Envelope without = Envelope.parse("{\"type\":\"$reply\"}");
        assertFalse(questions.reply(without));
        questions.item(without);
        questions.end(without);
        assertFalse(questions.fail(null, gone));
        assertFalse(questions.reply(frame("$reply", "b")));
        questions.item(frame("$next", "b"));
        questions.end(frame("$end", "b"));
        assertEquals(List.of(), fates);
        assertFalse(questions.isEmpty());
    }

    @Test
    void allEndOnceWhenAllFail() {
        questions.open("a", question("a"));
        questions.open("b", question("b"));
        questions.failAll(gone);
        questions.failAll(gone);
        fates.sort(String::compareTo);
        assertEquals(List.of("a connection_lost", "b connection_lost"), fates);
        assertTrue(questions.isEmpty());
    }
}
