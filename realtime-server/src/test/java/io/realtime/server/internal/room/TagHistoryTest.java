package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;

class TagHistoryTest {
    private final TagClock clock = new TagClock();
    private TagHistory history = TagHistory.of(Map.of());

    /** Sets the tag {@code n} to the moment at which the change counts. */
    private void change() {
        clock.advance(moment -> history = history.with(Map.of("n", String.valueOf(moment)), moment));
    }

    private String at(long moment) {
        return history.at(moment).getOrDefault("n", "none");
    }

    @Test
    void changeCountsFromItsMomentOn() {
        change();
        change();
        assertEquals(2, clock.now());
        assertEquals(Map.of("n", "2"), history.tags());
        assertEquals("none", at(0));
        assertEquals("1", at(1));
        assertEquals("2", at(2));
        assertEquals("2", at(1_000));
    }

    @Test
    void firstTagsCountForEverythingBefore() {
        change();
        change();
        TagHistory later = TagHistory.of(Map.of("n", "first"));
        assertEquals("first", later.at(1).get("n"));
        assertTrue(later.isKept(0));
    }

    @Test
    void changesOfOtherSessionsDoNotCount() {
        change();
        clock.advance(moment -> {});
        clock.advance(moment -> {});
        change();
        assertEquals("1", at(3));
        assertEquals("4", at(4));
    }

    @Test
    void eightVersionsAreKept() {
        for (int i = 0; i < 7; i++) {
            change();
        }
        assertEquals("none", at(0));
        assertTrue(history.isKept(0));
        change();
        assertEquals("1", at(0), "the oldest version that is kept");
        assertFalse(history.isKept(0));
        assertTrue(history.isKept(1));
        for (int i = 0; i < 1_000; i++) {
            change();
        }
        assertEquals("1001", at(1_000));
        assertFalse(history.isKept(1_000));
        assertEquals("1002", at(1_002));
        assertEquals("1008", at(1_008));
    }

    @Test
    void momentIsReadAfterItsChange() {
        clock.advance(moment -> {
            assertEquals(0, clock.now());
            assertEquals(1, moment);
        });
        assertEquals(1, clock.now());
    }
}
