package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What {@code $history} answers, frame by frame. */
@Timeout(60)
class HistoryTest {
    private static final Event<String> SAID = Event.of("said", String.class);

    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> room.startsWith("chat:"))
                    .limits(Limits.builder()
                            .outboundBytes(1 << 16)
                            .messageBytes(1 << 14)
                            .build())
                    .retention(new Retention(10, Duration.ofHours(1))));
    private final TestPeer ann = test.plain("ann");

    @AfterEach
    void close() {
        test.close();
    }

    private void publish(int count) {
        publish(count, room -> room);
    }

    private void publish(int count, UnaryOperator<Room> to) {
        IntStream.range(0, count)
                .forEach(i -> to.apply(test.server.connections().room("chat:1")).send(SAID, "x"));
    }

    private void publishForOthers(int count) {
        publish(count, room -> room.filter(session -> false));
    }

    private JsonObject history(String query) {
        ann.send("{'type':'$history','room':'chat:1','ref':'h','data':{" + query + "}}");
        return ann.data("$reply");
    }

    private static List<Long> offsets(JsonObject page) {
        return StreamSupport.stream(page.getAsJsonArray("messages").spliterator(), false)
                .map(message -> message.getAsJsonObject().get("offset").getAsLong())
                .toList();
    }

    private static List<Long> offsets(long first, long last) {
        return LongStream.rangeClosed(first, last).boxed().toList();
    }

    private static void assertPage(List<Long> offsets, boolean more, long next, long floor, JsonObject page) {
        assertEquals(offsets, offsets(page), page::toString);
        assertEquals(more, page.get("more").getAsBoolean(), page::toString);
        assertEquals(next, page.get("next").getAsLong(), page::toString);
        assertEquals(floor, page.get("floor").getAsLong(), page::toString);
    }

    @Test
    void pageSaysWhereTheNextOneBegins() {
        publish(5);
        assertPage(offsets(4, 5), true, 4, 0, history("'limit':2"));
        assertPage(offsets(2, 3), true, 2, 0, history("'limit':2,'before':4"));
        assertPage(offsets(1, 1), false, 1, 0, history("'limit':2,'before':2"));
        assertPage(offsets(1, 3), true, 3, 0, history("'limit':3,'after':0"));
        assertPage(offsets(4, 5), false, 5, 0, history("'limit':3,'after':3"));
    }

    @Test
    void pageOfMessagesForOthersIsEmptyAndSaysWhereNextOneBegins() {
        publish(1);
        publishForOthers(7);
        assertPage(List.of(), true, 4, 0, history("'limit':5"));
        assertPage(offsets(1, 1), false, 1, 0, history("'limit':5,'before':4"));
        assertPage(List.of(), true, 6, 0, history("'limit':5,'after':1"));
        assertPage(List.of(), false, 8, 0, history("'limit':5,'after':6"));
    }

    @Test
    void pageThatBytesEndSaysWhereTheNextOneBegins() {
        IntStream.range(0, 4)
                .forEach(i -> test.server.connections().room("chat:1").send(SAID, "x".repeat(7_000)));
        assertPage(offsets(3, 4), true, 3, 0, history(""));
        assertPage(offsets(1, 2), true, 2, 0, history("'after':0"));
        assertPage(offsets(3, 4), false, 4, 0, history("'after':2"));
    }

    @Test
    void pageNamesTheFloorOfWhatIsKept() {
        publish(14);
        assertPage(offsets(5, 6), true, 6, 4, history("'limit':2,'after':1"));
        assertPage(offsets(5, 6), false, 5, 4, history("'limit':9,'before':7"));
        assertPage(List.of(), false, 5, 4, history("'before':3"));
        test.time.advance(Duration.ofHours(1));
        assertPage(List.of(), false, 14, 14, history("'after':1"));
        assertPage(List.of(), false, 15, 14, history(""));
    }

    @Test
    void emptyLogHasAPageToo() {
        assertPage(List.of(), false, 1, 0, history(""));
        assertPage(List.of(), false, 0, 0, history("'after':0"));
        assertPage(List.of(), false, 7, 0, history("'after':7"));
        assertPage(List.of(), false, 1, 0, history("'before':-7"));
    }

    /** From any place, with any limit: page by page the reader gets what is kept and meant for it, once and in order. */
    @Test
    void everyWayOfPagingReadsTheSame() {
        List<Long> meant = new ArrayList<>();
        for (long offset = 1; offset <= 16; offset++) {
            if (offset % 5 < 2) {
                publish(1);
                if (offset > 6) {
                    meant.add(offset);
                }
            } else {
                publishForOthers(1);
            }
        }
        for (int limit = 1; limit <= 11; limit++) {
            List<Long> backwards = new ArrayList<>();
            JsonObject page = history("'limit':" + limit);
            backwards.addAll(0, offsets(page));
            while (page.get("more").getAsBoolean()) {
                page = history("'limit':" + limit + ",'before':" + page.get("next"));
                backwards.addAll(0, offsets(page));
            }
            assertEquals(meant, backwards, "backwards by " + limit);
            List<Long> forwards = new ArrayList<>();
            JsonElement next = page.get("floor");
            do {
                page = history("'limit':" + limit + ",'after':" + next);
                forwards.addAll(offsets(page));
                next = page.get("next");
            } while (page.get("more").getAsBoolean());
            assertEquals(meant, forwards, "forwards by " + limit);
        }
    }

    @Test
    void clientMayNestNoDeeperThanThirtyTwo() {
        String deep = "[".repeat(32) + "]".repeat(32);
        assertEquals("bad_message", ann.errorOf("{'type':'$history','room':'chat:1','ref':'h','data':" + deep + "}"));
        assertTrue(ann.types().isEmpty());
        assertFalse(history("").get("more").getAsBoolean());
    }
}
