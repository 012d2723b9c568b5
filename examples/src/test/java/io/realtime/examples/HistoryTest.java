package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.client.ClientRoom;
import io.realtime.client.RealtimeClient;
import io.realtime.server.Authentication;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A room's log, read by the client from the server page by page. The server keeps 100 messages of a room. */
@Timeout(60)
class HistoryTest {
    private static final Event<Integer> NOTE = Event.of("note", Integer.class);
    private static final Event<JsonElement> TREE = Event.of("tree", JsonElement.class);

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final RealtimeServer server = RealtimeServer.builder()
            .port(0)
            .authenticator(c -> CompletableFuture.completedFuture(Authentication.of("ann")))
            .allowJoin((session, room) -> true)
            .retention(new Retention(100, Duration.ofHours(1)))
            .on(TREE, (session, message) -> session.room(message.requireRoom()).send(TREE, message.data()))
            .random(new Random(1))
            .scheduler(time)
            .executor(time)
            .transport(network.serverTransport())
            .build()
            .start();
    private final RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
            .transport(network.clientTransport())
            .scheduler(time)
            .callbackExecutor(time)
            .random(new Random(2))
            .build();
    private final ClientRoom room = client.room("r");
    private int published;

    HistoryTest() {
        done(client.connect().thenCompose(open -> room.join()));
    }

    @AfterEach
    void nothingIsLeft() {
        client.close();
        time.advance(Duration.ofSeconds(1));
        server.close(Duration.ZERO);
        time.advance(Duration.ofMinutes(1));
        assertEquals(0, network.connections());
        assertEquals(0, time.pending());
    }

    private <T> T done(CompletableFuture<T> future) {
        time.advance(Duration.ofMillis(200));
        assertTrue(future.isDone(), String.valueOf(future));
        return future.join();
    }

    private void publish(int count) {
        IntStream.range(0, count).forEach(i -> server.connections().room("r").send(NOTE, ++published));
    }

    private void publishForOthers(int count) {
        IntStream.range(0, count)
                .forEach(i ->
                        server.connections().room("r").filter(session -> false).send(NOTE, ++published));
    }

    private static List<Integer> numbers(HistoryPage page) {
        return page.messages(NOTE).stream().map(note -> note.data()).toList();
    }

    private static List<Integer> numbers(int first, int last) {
        return IntStream.rangeClosed(first, last).boxed().toList();
    }

    /** The numbers of all pages, oldest first. */
    private List<Integer> readOn(HistoryPage first, boolean forwards) {
        List<Integer> all = new ArrayList<>(numbers(first));
        HistoryPage page = first;
        while (page.more()) {
            page = done(room.history(page.next()));
            all.addAll(forwards ? all.size() : 0, numbers(page));
        }
        return all;
    }

    private Position at(long offset) {
        HistoryPage newest = done(room.history(HistoryQuery.newest(1)));
        return new Position(newest.position().epoch(), offset);
    }

    @Test
    void everyMessageThatIsKeptIsReadPageByPageInBothDirections() {
        publish(130);
        HistoryPage newest = done(room.history(HistoryQuery.newest(7)));
        assertEquals(at(130), newest.position());
        assertEquals(numbers(31, 130), readOn(newest, false));
        HistoryPage oldest = done(room.history(HistoryQuery.after(at(31), 7)));
        assertEquals(numbers(32, 130), readOn(oldest, true));
    }

    @Test
    void pagesOfMessagesForOthersAreReadAcrossInBothDirections() {
        publish(1);
        publishForOthers(10);
        HistoryPage newest = done(room.history(HistoryQuery.newest(5)));
        assertEquals(List.of(), numbers(newest));
        assertEquals(List.of(1), readOn(newest, false));
        publish(1);
        publishForOthers(12);
        HistoryPage behind = done(room.history(HistoryQuery.after(at(1), 5)));
        assertEquals(List.of(), numbers(behind));
        assertEquals(List.of(12), readOn(behind, true));
    }

    @Test
    void readerIsToldWhatTheServerNoLongerKeeps() {
        publish(100);
        HistoryPage all = done(room.history(HistoryQuery.newest(100)));
        assertFalse(all.trimmed());
        publish(2);
        assertTrue(done(room.history(HistoryQuery.newest(100))).trimmed());
        HistoryPage oldest = done(room.history(HistoryQuery.after(at(1), 2)));
        assertEquals(List.of(3, 4), numbers(oldest));
        assertTrue(oldest.trimmed());
        assertFalse(done(room.history(oldest.next())).trimmed());
    }

    @Test
    void deliveredMessagesAreInTheHistory() {
        String deepest = "[".repeat(31) + "]".repeat(31);
        List<String> live = new ArrayList<>();
        var subscription = room.on(TREE, tree -> live.add(tree.data().toString()));
        done(room.send(TREE, JsonParser.parseString(deepest)));
        assertEquals(List.of(deepest), live);
        HistoryPage page = done(room.history(HistoryQuery.newest(10)));
        assertEquals(
                live,
                page.messages(TREE).stream().map(tree -> tree.data().toString()).toList());
        subscription.close();
    }

    @Test
    void dataNestedTooDeepIsNotSent() {
        JsonElement tooDeep = JsonParser.parseString("[".repeat(32) + "]".repeat(32));
        CompletableFuture<Void> sent = room.send(TREE, tooDeep);
        assertTrue(sent.isDone());
        assertInstanceOf(
                PayloadException.class,
                assertThrows(CompletionException.class, sent::join).getCause());
        assertThrows(
                PayloadException.class, () -> server.connections().room("r").send(TREE, tooDeep));
        assertTrue(client.isConnected());
    }
}
