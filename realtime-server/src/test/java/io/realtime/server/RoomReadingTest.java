package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.server.internal.TestServer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What the application reads of its rooms: their logs, and which there are. */
@Timeout(60)
class RoomReadingTest {
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final Event<byte[]> BLOB = Event.of("blob", byte[].class);

    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> true)
                    .limits(Limits.builder()
                            .outboundBytes(1 << 16)
                            .messageBytes(1 << 14)
                            .build())
                    .retention(new Retention(10, Duration.ofHours(1))));
    private final Room room = test.server.connections().room("chat:1");

    @AfterEach
    void close() {
        test.close();
    }

    private static List<String> texts(HistoryPage page) {
        return page.messages(SAID).stream().map(Message::data).toList();
    }

    private Position say(String text) {
        return Objects.requireNonNull(room.send(SAID, text).join());
    }

    // ---------------------------------------------------------------- history

    @Test
    void pagesReadTheLogInBothDirections() {
        for (String text : List.of("a", "b", "c", "d", "e")) {
            say(text);
        }
        HistoryPage newest = room.history(HistoryQuery.newest(2)).join();
        assertEquals(List.of("d", "e"), texts(newest));
        HistoryPage older = room.history(newest.next()).join();
        assertEquals(List.of("b", "c"), texts(older));
        HistoryPage oldest = room.history(older.next()).join();
        assertEquals(List.of("a"), texts(oldest));
        assertFalse(oldest.more() || oldest.trimmed());
        Position first = oldest.position();
        HistoryPage on = room.history(HistoryQuery.after(first, 3)).join();
        assertEquals(List.of("b", "c", "d"), texts(on));
        assertEquals(List.of("e"), texts(room.history(on.next()).join()));
    }

    @Test
    void everyMessageIsReadWhomeverItIsFor() {
        test.plain("ann");
        Session ann = test.server.connections().user("ann").sessions().get(0);
        room.only("nobody").send(SAID, "only");
        room.filter(session -> false).send(SAID, "filter");
        room.from(ann).send(SAID, "from");
        room.send(BLOB, new byte[] {1, 2});
        HistoryPage page = room.except("x").history(HistoryQuery.newest(10)).join();
        assertEquals(List.of("only", "filter", "from"), texts(page));
        assertEquals("ann", page.messages(SAID).get(2).from());
        Message<byte[]> blob = page.messages(BLOB).get(0);
        assertEquals(2, blob.data().length);
        assertEquals(4, Objects.requireNonNull(blob.position()).offset());
    }

    @Test
    void bytesEndAPage() {
        IntStream.range(0, 4).forEach(i -> say("x".repeat(7_000)));
        HistoryPage page = room.history(HistoryQuery.newest(10)).join();
        assertEquals(2, texts(page).size());
        assertTrue(page.more());
    }

    @Test
    void pageSaysThatMessagesWereTrimmed() {
        Position first = say("a");
        IntStream.range(0, 11).forEach(i -> say("x"));
        assertTrue(room.history(HistoryQuery.after(first, 3)).join().trimmed());
        assertTrue(room.history(HistoryQuery.newest(10)).join().trimmed());
    }

    @Test
    void positionOfAnotherLogFails() {
        say("a");
        CompletableFuture<HistoryPage> page = room.history(HistoryQuery.after(new Position("other", 0), 3));
        Throwable failure = assertThrows(ExecutionException.class, page::get).getCause();
        assertEquals(
                "epoch",
                ((RealtimeException) Objects.requireNonNull(failure)).code().value());
    }

    @Test
    void readingMakesNoRoomAndReadsInboxes() {
        int rooms = test.server.stats().rooms();
        assertEquals(List.of(), texts(room.history(HistoryQuery.newest(10)).join()));
        User bob = test.server.connections().user("bob");
        assertEquals(
                List.of(), texts(bob.inbox().history(HistoryQuery.newest(10)).join()));
        assertEquals(rooms, test.server.stats().rooms());
        bob.send(SAID, "news");
        assertEquals(
                List.of("news"),
                texts(bob.inbox().history(HistoryQuery.newest(10)).join()));
    }

    @Test
    void deletedMessagesAreNotRead() {
        Position first = say("a");
        say("b");
        room.delete(first);
        HistoryPage page = room.history(HistoryQuery.newest(2)).join();
        assertEquals(List.of("b"), texts(page));
        assertTrue(page.more());
        assertEquals(List.of(), texts(room.history(page.next()).join()));
    }

    // ---------------------------------------------------------------- the list

    private RoomsPage rooms(String prefix, String after, int limit) {
        return test.server
                .connections()
                .rooms(prefix, after.isEmpty() ? null : after, limit)
                .join();
    }

    private static List<String> names(RoomsPage page) {
        return page.rooms().stream().map(RoomSummary::name).toList();
    }

    @Test
    void listIsSortedPagedAndCounted() {
        test.plain("ann");
        Session ann = test.server.connections().user("ann").sessions().get(0);
        for (String name : List.of("b:2", "a", "b:1", "c", "b:10", "b")) {
            ann.join(name);
        }
        test.server.connections().room("b:1").send(SAID, "x");
        RoomsPage page = rooms("b:", "", 2);
        assertEquals(List.of("b:1", "b:10"), names(page));
        assertTrue(page.more());
        RoomSummary first = page.rooms().get(0);
        assertEquals(1, first.members());
        assertEquals(1, first.messages());
        assertEquals(1, first.end().offset());
        RoomsPage rest = rooms("b:", "b:10", 2);
        assertEquals(List.of("b:2"), names(rest));
        assertFalse(rest.more());
        assertEquals(List.of("a", "b", "b:1", "b:10", "b:2", "c"), names(rooms("", "", 100)));
        assertEquals(List.of("b:1"), names(rooms("b:", "a", 1)), "a name before the prefix");
        assertEquals(List.of(), names(rooms("b:", "c", 1)));
        ann.disconnect("out");
        assertEquals(List.of("b:1"), names(rooms("", "", 100)), "it has a message");
        test.time.advance(Duration.ofHours(2));
        assertEquals(List.of(), names(rooms("", "", 100)));
    }

    @Test
    void limitOutsideItsRangeIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> rooms("", "", 0));
        assertThrows(IllegalArgumentException.class, () -> rooms("", "", RoomsPage.MOST + 1));
    }

    /** Whatever begins and ends between the pages, each room that stays is listed once. */
    @Test
    void roomsThatStayAreListedOnce() {
        test.plain("ann");
        Session ann = test.server.connections().user("ann").sessions().get(0);
        TreeSet<String> stay = new TreeSet<>();
        for (int i = 0; i < 50; i++) {
            ann.join("room:" + i);
            if (i % 3 > 0) {
                stay.add("room:" + i);
            }
        }
        List<String> seen = new ArrayList<>();
        String after = "";
        RoomsPage page;
        int turn = 0;
        do {
            page = rooms("room:", after, 7);
            seen.addAll(names(page));
            after = seen.get(seen.size() - 1);
            ann.leave("room:" + 3 * turn);
            ann.join("room:x" + turn++);
        } while (page.more());
        assertEquals(new ArrayList<>(new TreeSet<>(seen)), seen);
        assertTrue(seen.containsAll(stay));
    }
}
