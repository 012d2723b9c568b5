package io.realtime.server.internal.limits;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class EvictionQueueTest {
    private final EvictionQueue<String> queue = new EvictionQueue<>();

    private void add(String... entries) {
        for (String entry : entries) {
            queue.add(entry.substring(0, 1), entry);
        }
    }

    private List<String> pollAll() {
        List<String> polled = new ArrayList<>();
        for (String next = queue.poll(); next != null; next = queue.poll()) {
            polled.add(next);
        }
        return polled;
    }

    @Test
    void usersWithOneEntryEachGiveTheOldest() {
        add("a1", "b1", "c1");
        queue.remove("a", "a1");
        add("a2");
        assertEquals(List.of("b1", "c1", "a2"), pollAll());
    }

    @Test
    void userWithMostEntriesGivesItsOldest() {
        add("a1", "b1", "b2", "b3", "b4", "c1", "c2");
        assertEquals("b1", queue.poll());
        assertEquals("c1", queue.poll(), "two and three are alike, and it has had as many for longer");
        assertEquals(List.of("b2", "b3", "a1", "c2", "b4"), pollAll());
    }

    @Test
    void entryIsAddedAndRemovedOnce() {
        add("a1", "a1");
        queue.remove("a", "a1");
        queue.remove("a", "a1");
        queue.remove("b", "b1");
        assertNull(queue.poll());
        add("a1");
        assertEquals(List.of("a1"), pollAll());
    }
}
