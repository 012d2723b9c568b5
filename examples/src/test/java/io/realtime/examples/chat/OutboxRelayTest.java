package io.realtime.examples.chat;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.examples.chat.Outbox.Outgoing;
import java.sql.SQLException;
import java.time.Clock;
import java.util.Deque;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@Timeout(30)
class OutboxRelayTest {
    private static final Conversation LOBBY = Conversation.room("chat:lobby");

    private final BlockingQueue<String> published = new LinkedBlockingQueue<>();
    private final Deque<RuntimeException> failures =
            new ConcurrentLinkedDeque<>(); // the publisher's, for its next calls
    private Database database;
    private Outbox outbox;
    private OutboxRelay relay;
    private ChatService service;

    @BeforeEach
    void begin() {
        database = Database.open("jdbc:h2:mem:" + UUID.randomUUID(), null, null);
        outbox = new Outbox(database);
        relay = new OutboxRelay(outbox, this::publish);
        service = new ChatService(database, () -> relay.wake(), Clock.systemUTC());
    }

    @AfterEach
    void end() {
        relay.close();
        database.close();
    }

    private void publish(Outgoing message) {
        RuntimeException failure = failures.poll();
        if (failure != null) {
            throw failure;
        }
        published.add(number(message));
    }

    private static String number(Outgoing message) {
        return message.data().replaceFirst(".*\"number\":(\\d+),.*", "$1");
    }

    private void post(int from, int to) {
        IntStream.rangeClosed(from, to).forEach(i -> service.post(LOBBY, "ada", "m" + i, "text"));
    }

    private void expect(int from, int to) throws InterruptedException {
        for (int i = from; i <= to; i++) {
            assertEquals("" + i, published.poll(10, TimeUnit.SECONDS));
        }
    }

    @Test
    void whatAnEarlierProcessLeftIsPublishedInOrderThenWhatIsNew() throws Exception {
        post(1, 2 * Outbox.BATCH + 1);
        assertNull(published.peek());

        relay.start();
        expect(1, 2 * Outbox.BATCH + 1);
        post(2 * Outbox.BATCH + 2, 2 * Outbox.BATCH + 3);
        expect(2 * Outbox.BATCH + 2, 2 * Outbox.BATCH + 3);

        relay.close();
        assertEquals(List.of(), outbox.oldest());
        assertNull(published.peek());
    }

    @ParameterizedTest
    @ValueSource(strings = {"closed", "unavailable"})
    void messageThatCannotBePublishedNowIsPublishedLaterBeforeTheNext(String code) throws Exception {
        post(1, 3);
        boolean retryable = code.equals("unavailable");
        failures.add(new RealtimeException(ErrorCode.of(code), "not now", retryable, null));
        failures.add(new RealtimeException(ErrorCode.of(code), "not now either", retryable, null));

        relay.start();

        expect(1, 3);
    }

    @Test
    void rowsOfAnotherWriterArePublishedWithoutBeingWoken() throws Exception {
        relay.start();
        ChatService other = new ChatService(database, () -> {}, Clock.systemUTC());
        other.post(LOBBY, "ada", "m1", "text");
        expect(1, 1);
        other.post(LOBBY, "ada", "m2", "text");
        expect(2, 2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"too_big", "overloaded"}) // a server that allows no further room has nobody in this one
    void messageThatCanNeverBePublishedHoldsUpNoOther(String code) throws Exception {
        post(1, 3);
        failures.add(new RealtimeException(ErrorCode.of(code), "never", code.equals("overloaded"), null));

        relay.start();

        expect(2, 3);
        relay.close();
        assertEquals(List.of(), outbox.oldest());
    }

    @Test
    void rowThatNoPublisherUnderstandsHoldsUpNoOther() throws Exception {
        post(1, 3);
        failures.add(new IllegalArgumentException("a row of another program"));

        relay.start();

        expect(2, 3);
        relay.close();
        assertEquals(List.of(), outbox.oldest());
    }

    @Test
    void databaseThatFailsAfterThePublishGetsNothingPublishedTwice() throws Exception {
        post(1, 2);
        AtomicInteger removals = new AtomicInteger();
        OutboxRelay cut = new OutboxRelay(
                new Outbox(database) {
                    @Override
                    void remove(List<Long> ids) {
                        if (removals.incrementAndGet() == 1) {
                            throw ChatError.unavailable(new SQLException("cut"));
                        }
                        super.remove(ids);
                    }
                },
                this::publish);
        cut.start();
        expect(1, 2);

        post(3, 3);
        cut.wake();
        expect(3, 3);

        cut.close();
        assertEquals(3, removals.get());
        assertNull(published.peek());
        assertEquals(List.of(), outbox.oldest());
    }
}
