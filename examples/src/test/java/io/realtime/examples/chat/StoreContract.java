package io.realtime.examples.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.examples.chat.ChatContract.Open;
import io.realtime.examples.chat.ChatContract.Page;
import io.realtime.examples.chat.ChatContract.PageQuery;
import io.realtime.examples.chat.ChatContract.Posted;
import io.realtime.examples.chat.ChatContract.Read;
import io.realtime.examples.chat.ChatContract.Summary;
import io.realtime.examples.chat.Outbox.Outgoing;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What the chat keeps in a database, on each database that it supports. */
@Timeout(60)
abstract class StoreContract {
    private static final Conversation LOBBY = Conversation.room("chat:lobby");
    private static final long NOW = 1_767_225_600_000L;

    private final AtomicInteger changes = new AtomicInteger();
    private Database database;
    private ChatService service;
    private Outbox outbox;

    /** Opens an empty database. */
    abstract Database open() throws Exception;

    @BeforeEach
    void begin() throws Exception {
        database = open();
        service = new ChatService(
                database, changes::incrementAndGet, Clock.fixed(Instant.ofEpochMilli(NOW), ZoneOffset.UTC));
        outbox = new Outbox(database);
    }

    @AfterEach
    void end() {
        database.close();
    }

    @Test
    void messageAndItsOutboxRowAreStoredTogether() {
        MessageStore.Stored stored = service.post(LOBBY, "ada", "m1", "hello");

        Posted expected = new Posted("chat:lobby", 1, "m1", "ada", "hello", NOW);
        assertEquals(new MessageStore.Stored(expected, true), stored);
        assertEquals(
                List.of(expected), page("ada", "chat:lobby", null, null, 10).messages());
        Outgoing out = outbox.oldest().get(0);
        assertEquals("chat:lobby", out.room());
        assertEquals("said", out.event());
        assertEquals(
                "{\"conversation\":\"chat:lobby\",\"number\":1,\"id\":\"m1\",\"user\":\"ada\",\"text\":\"hello\",\"at\":"
                        + NOW + "}",
                out.data());
        assertEquals(1, changes.get());
    }

    @Test
    void repeatedMessageIsStoredAndAnnouncedOnce() {
        service.post(LOBBY, "ada", "m1", "hello");
        MessageStore.Stored repeated = service.post(LOBBY, "ada", "m1", "hello");

        assertFalse(repeated.isNew());
        assertEquals(1, repeated.message().number());
        assertEquals(1, outbox.oldest().size());
        assertTrue(service.post(LOBBY, "bob", "m1", "hello").isNew(), "an id belongs to its author");
    }

    @Test
    void idOfAnotherMessageIsConflict() {
        service.post(LOBBY, "ada", "m1", "hello");

        assertCode(ChatError.CONFLICT, () -> service.post(LOBBY, "ada", "m1", "goodbye"));
        assertCode(ChatError.CONFLICT, () -> service.post(Conversation.room("chat:garden"), "ada", "m1", "hello"));
    }

    @Test
    void parallelAuthorsGetNumbersWithoutHoleInTheOutboxesOrder() throws Exception {
        long authors = 4;
        int each = 25;
        List<Callable<Void>> tasks = new ArrayList<>();
        for (int author = 0; author < authors; author++) {
            String name = "author-" + author;
            tasks.add(() -> {
                for (int i = 0; i < each; i++) {
                    service.post(LOBBY, name, "m" + i, "text " + i);
                }
                return null;
            });
        }
        inParallel(tasks);

        List<Long> expected = LongStream.rangeClosed(1, authors * each).boxed().toList();
        List<Posted> stored =
                page("ada", "chat:lobby", null, 0L, ChatService.MAX_PAGE).messages();
        assertEquals(expected, stored.stream().map(Posted::number).toList());
        assertEquals(
                stored.stream()
                        .map(posted -> "\"number\":" + posted.number() + ",")
                        .toList(),
                outbox.oldest().stream()
                        .map(out -> out.data().replaceFirst(".*(\"number\":\\d+,).*", "$1"))
                        .toList());
    }

    @Test
    void messageThatIsSentTwiceAtOnceIsStoredOnce() throws Exception {
        Callable<MessageStore.Stored> send = () -> service.post(LOBBY, "ada", "m1", "hello");
        List<MessageStore.Stored> both = inParallel(List.of(send, send, send, send));

        assertEquals(1, both.stream().filter(MessageStore.Stored::isNew).count());
        assertEquals(
                Set.of(1L),
                new HashSet<>(both.stream().map(s -> s.message().number()).toList()));
        assertEquals(1, outbox.oldest().size());
    }

    @Test
    void directMessageIsAnnouncedToBothUnderTheOthersName() {
        Conversation direct = Conversation.direct("bob", "ada");
        MessageStore.Stored stored = service.post(direct, "bob", "m1", "psst");

        assertEquals("@ada", stored.message().conversation());
        List<Outgoing> out = outbox.oldest();
        assertEquals(List.of("ada", "bob"), out.stream().map(Outgoing::receiver).toList());
        assertTrue(out.get(0).data().contains("\"conversation\":\"@bob\""), out::toString);
        assertTrue(out.get(1).data().contains("\"conversation\":\"@ada\""), out::toString);
        assertEquals(List.of(new Summary("@bob", 1, 0)), service.open("ada", new Open(List.of())));
        assertEquals(List.of(new Summary("@ada", 1, 1)), service.open("bob", new Open(null)));
        assertEquals(
                "psst", page("ada", "@bob", null, null, 10).messages().get(0).text());
        assertEquals(List.of(), page("eve", "@bob", null, null, 10).messages());
    }

    @Test
    void messageToOneselfIsAnnouncedOnce() {
        service.post(Conversation.direct("ada", "ada"), "ada", "m1", "note");

        assertEquals(1, outbox.oldest().size());
        assertEquals(List.of(new Summary("@ada", 1, 1)), service.open("ada", new Open(List.of())));
    }

    @Test
    void pagesFollowTheCursorInBothDirections() {
        IntStream.rangeClosed(1, 7).forEach(i -> service.post(LOBBY, "ada", "m" + i, "text " + i));

        assertPage(List.of(5L, 6L, 7L), true, page("bob", "chat:lobby", null, null, 3));
        assertPage(List.of(2L, 3L, 4L), true, page("bob", "chat:lobby", 5L, null, 3));
        assertPage(List.of(1L), false, page("bob", "chat:lobby", 2L, null, 3));
        assertPage(List.of(3L, 4L, 5L), true, page("bob", "chat:lobby", null, 2L, 3));
        assertPage(List.of(6L, 7L), false, page("bob", "chat:lobby", null, 5L, 3));
        assertPage(List.of(), false, page("bob", "chat:nowhere", null, null, 3));
    }

    @Test
    void roomIsReadWhenOpenedAndReadMarkMovesForwardOnly() {
        service.post(LOBBY, "ada", "m1", "one");
        assertEquals(List.of(new Summary("chat:lobby", 1, 1)), open("bob"));
        service.post(LOBBY, "ada", "m2", "two");
        service.post(LOBBY, "ada", "m3", "three");
        assertEquals(List.of(new Summary("chat:lobby", 3, 1)), open("bob"));

        service.read("bob", new Read("chat:lobby", 2L));
        service.read("bob", new Read("chat:lobby", 1L));
        service.read("bob", new Read("chat:garden", 1L));

        assertEquals(List.of(new Summary("chat:lobby", 3, 2)), open("bob"));
        Outgoing mark = outbox.oldest().get(3);
        assertEquals(4, outbox.oldest().size());
        assertEquals(
                "bob read {\"conversation\":\"chat:lobby\",\"number\":2}",
                mark.receiver() + " " + mark.event() + " " + mark.data());
        service.read("bob", new Read("chat:lobby", Long.MAX_VALUE));
        assertEquals(List.of(new Summary("chat:lobby", 3, 3)), open("bob"));
    }

    @Test
    void authorHasReadTheirOwnMessage() {
        open("ada");
        service.post(LOBBY, "bob", "m1", "one");
        service.post(LOBBY, "ada", "m1", "two");

        assertEquals(List.of(new Summary("chat:lobby", 2, 2)), open("ada"));
    }

    @Test
    void newestConversationIsFirstAndRoomsAreBounded() {
        for (int first = 0; first < Conversations.MAX; first += 50) {
            List<String> rooms = IntStream.range(first, first + 50)
                    .mapToObj(i -> "chat:r" + i)
                    .toList();
            service.open("ada", new Open(new ArrayList<>(rooms)));
        }
        assertCode(ErrorCode.OVERLOADED, () -> open("ada"));
        assertEquals(Conversations.MAX, service.open("ada", new Open(List.of())).size());
        service.post(LOBBY, "ada", "m1", "an author takes part, beyond the bound too");
        assertEquals(
                Conversations.MAX,
                service.open("ada", new Open(List.of("chat:r0", "chat:lobby"))).size());
        assertCode(
                ErrorCode.BAD_DATA,
                () -> service.open("bob", new Open(new ArrayList<>(java.util.Collections.nCopies(51, "chat:a")))));
    }

    @Test
    void longestRoomNameIsStoredWhateverItsCharacters() {
        String longest = "chat:" + "\uD840\uDC00".repeat(40);
        service.post(Conversation.room(longest), "ada", "m1", "text");
        assertEquals(longest, outbox.oldest().get(0).room());
    }

    @Test
    void outboxIsReadInBatchesAndRemovedRowByRow() {
        IntStream.rangeClosed(0, Outbox.BATCH).forEach(i -> service.post(LOBBY, "ada", "m" + i, "text"));
        List<Outgoing> batch = outbox.oldest();
        assertEquals(Outbox.BATCH, batch.size());

        outbox.remove(batch.stream().map(Outgoing::id).toList());

        assertEquals(1, outbox.oldest().size());
        assertTrue(outbox.oldest().get(0).data().contains("\"number\":" + (Outbox.BATCH + 1) + ","));
    }

    @ParameterizedTest
    @ValueSource(strings = {"Robert'); DROP TABLE message;--", "100% _ \\ \" '", "😀 é ﷽", "<script>alert(1)</script>"})
    void textIsKeptAsItIs(String text) {
        service.post(LOBBY, "o'brien", "m'1", text);

        Posted posted = page("ada", "chat:lobby", null, null, 1).messages().get(0);
        assertEquals(text, posted.text());
        assertEquals("o'brien", posted.user());
    }

    @Test
    void longestTextFits() {
        String text = "\uffff\u0001".repeat(ChatService.MAX_TEXT / 2);
        service.post(LOBBY, "ada", "i".repeat(ChatService.MAX_ID), text);

        assertEquals(
                text, page("ada", "chat:lobby", null, null, 1).messages().get(0).text());
        assertCode(ErrorCode.BAD_DATA, () -> service.post(LOBBY, "ada", "m", text + "x"));
    }

    @ParameterizedTest
    @CsvSource(
            nullValues = "null",
            value = {
                "ada, null, hello, bad_data",
                "ada, '', hello, bad_data",
                "ada, a b, hello, bad_data",
                "ada, 12345678901234567890123456789012345678901234567890123456789012345, hello, bad_data",
                "ada, m1, null, bad_data",
                "ada, m1, ' ', bad_data",
                "ada, m1, a\u0000b, bad_data",
                "ada, m1, a\ud800b, bad_data",
                "'', m1, hello, forbidden",
                "a\u202eb, m1, hello, forbidden",
                "123456789012345678901234567890123, m1, hello, forbidden",
            })
    void badInputIsRefusedAndNothingStored(String author, @Nullable String id, @Nullable String text, String code) {
        assertCode(ErrorCode.of(code), () -> service.post(LOBBY, author, id, text));
        assertEquals(List.of(), page("ada", "chat:lobby", null, null, 1).messages());
        assertEquals(List.of(), outbox.oldest());
    }

    @ParameterizedTest
    @CsvSource(
            nullValues = "null",
            value = {"null", "lobby", "chat:", "chat:a b", "chat:-a", "@", "@a\u0000b", "chat:%"})
    void badConversationIsRefused(@Nullable String name) {
        assertCode(ErrorCode.BAD_DATA, () -> page("ada", name, null, null, 1));
        assertCode(ErrorCode.BAD_DATA, () -> service.read("ada", new Read(name, 1L)));
    }

    @Test
    void pageSizeIsBounded() {
        assertCode(ErrorCode.BAD_DATA, () -> page("ada", "chat:lobby", null, null, 0));
        assertCode(ErrorCode.BAD_DATA, () -> page("ada", "chat:lobby", null, null, ChatService.MAX_PAGE + 1));
    }

    private List<Summary> open(String user) {
        return service.open(user, new Open(List.of("chat:lobby")));
    }

    private Page page(String reader, @Nullable String name, @Nullable Long before, @Nullable Long after, int limit) {
        return service.page(reader, new PageQuery(name, before, after, limit));
    }

    private static void assertPage(List<Long> numbers, boolean more, Page page) {
        assertEquals(numbers, page.messages().stream().map(Posted::number).toList());
        assertEquals(more, page.more());
    }

    private static void assertCode(ErrorCode code, org.junit.jupiter.api.function.Executable action) {
        assertEquals(code, assertThrows(RealtimeException.class, action).code());
    }

    private static <T> List<T> inParallel(List<Callable<T>> tasks) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(tasks.size());
        try {
            List<T> results = new ArrayList<>();
            for (Future<T> result : threads.invokeAll(tasks)) {
                results.add(result.get());
            }
            return results;
        } finally {
            threads.shutdownNow();
        }
    }
}
