package io.realtime.internal.calls;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Json;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class SourcesTest implements StreamSource.Receiver {
    private final Sources sources = new Sources(2);
    private final List<String> items = new ArrayList<>();
    private boolean isFull;

    @Override
    public boolean hasRoom() {
        return !isFull;
    }

    @Override
    public void item(long index, String json) {
        items.add(json);
    }

    @Override
    public void over(long count, @Nullable ErrorData error) {}

    @Override
    public void report(Throwable failure) {
        throw new AssertionError(failure);
    }

    private StreamSource<Integer> source() {
        return new StreamSource<>(Json.payload(Integer.class), this, Runnable::run);
    }

    @Test
    void noMoreThanTheBoundAreOpen() {
        assertTrue(sources.add("a", source()));
        assertTrue(sources.add("b", source()));
        assertFalse(sources.add("c", source()));
        assertFalse(sources.has("c"));
        sources.remove("a");
        assertFalse(sources.has("a"));
        assertTrue(sources.add("c", source()));
    }

    @Test
    void grantReachesTheStreamsItNamesWhateverElseItSays() {
        StreamSource<Integer> a = source();
        StreamSource<Integer> b = source();
        sources.add("a", a);
        sources.add("b", b);
        for (int i = 0; i < 64; i++) {
            a.send(i);
            b.send(i);
        }
        Map<String, Long> nonsense = new HashMap<>();
        nonsense.put("a", null);
        nonsense.put("b", -1L);
        nonsense.put("nobody", 100L);
        assertFalse(sources.granted(nonsense));
        assertFalse(sources.granted(Map.of()));
        assertTrue(sources.granted(Map.of("nobody", 100L, "a", 65L, "b", 0L)));
        assertTrue(a.isReady());
        assertFalse(b.isReady());
    }

    @Test
    void roomReachesAllStreamsAndCancelOneOrAll() {
        StreamSource<Integer> a = source();
        StreamSource<Integer> b = source();
        sources.add("a", a);
        sources.add("b", b);
        isFull = true;
        a.onReady(() -> a.offer(1));
        b.onReady(() -> b.offer(2));
        assertEquals(List.of(), items);
        isFull = false;
        sources.roomAgain();
        items.sort(String::compareTo);
        assertEquals(List.of("1", "2"), items);
        sources.cancel("nobody");
        sources.cancel("a");
        assertTrue(a.isCancelled());
        assertFalse(b.isCancelled());
        sources.cancelAll();
        assertTrue(b.isCancelled());
    }
}
