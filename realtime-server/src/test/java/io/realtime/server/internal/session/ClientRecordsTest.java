package io.realtime.server.internal.session;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.execution.Bursts;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.execution.Pool;
import io.realtime.server.internal.session.ClientRecords.ClientRecord.Claim;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class ClientRecordsTest {
    private final ManualScheduler time = new ManualScheduler();
    private final List<ClientRecords.ClientRecord> forgotten = new ArrayList<>();
    private final Pool threads = new Pool("handlers", Pool.UNBOUNDED, time, time);
    private final ClientRecords records = new ClientRecords(
            time,
            3,
            Duration.ofHours(24),
            (user, lock) -> new Mailbox(threads, user, time, new Bursts(time, time), 10, 1000, lock),
            forgotten::add);

    private ClientRecords.ClientRecord openAndClose(String client) {
        ClientRecords.ClientRecord record = records.open("ann", client).record();
        records.close(record);
        return record;
    }

    private boolean knows(String client) {
        ClientRecords.Opened opened = records.open("ann", client);
        records.close(opened.record());
        return opened.known();
    }

    @Test
    void recordIsKeptForItsTimeAfterTheLastUse() {
        ClientRecords.ClientRecord first = openAndClose("a");
        time.advance(Duration.ofHours(24));
        assertSame(first, openAndClose("a"));
        time.advance(Duration.ofHours(24).plusNanos(1));
        assertFalse(knows("a"));
    }

    @Test
    void expiredRecordIsUnknownBeforeItIsForgotten() {
        ClientRecords many = new ClientRecords(
                time,
                100,
                Duration.ofHours(24),
                (user, lock) -> new Mailbox(threads, user, time, new Bursts(time, time), 10, 1000, lock),
                forgotten::add);
        for (int i = 0; i < 100; i++) {
            many.close(many.open("ann", "c" + i).record());
        }
        time.advance(Duration.ofHours(24).plusNanos(1));
        assertFalse(many.open("ann", "c99").known());
        assertTrue(many.size() > 50, "not all are forgotten at once");
        for (int i = 0; i < 10; i++) {
            many.open("bob", "c" + i);
        }
        assertEquals(11, many.size());
    }

    @Test
    void recordInUseIsNeverForgotten() {
        ClientRecords.ClientRecord used = records.open("ann", "a").record();
        time.advance(Duration.ofDays(30));
        for (int i = 0; i < 10; i++) {
            openAndClose("other" + i);
        }
        assertTrue(knows("a"), "a client that has been connected for a month");
        records.close(used);
        time.advance(Duration.ofHours(24));
        assertTrue(knows("a"));
    }

    @Test
    void leastRecentlyUsedRecordIsEvicted() {
        for (String client : new String[] {"a", "b", "c"}) {
            openAndClose(client);
            time.advance(Duration.ofSeconds(1));
        }
        openAndClose("a");
        openAndClose("d");
        assertEquals(3, records.size());
        assertTrue(knows("a"));
        assertFalse(knows("b"));
    }

    @Test
    void userWithManyClientsForgetsItsOwn() {
        ClientRecords bounded = new ClientRecords(
                time,
                5,
                Duration.ofHours(24),
                (user, lock) -> new Mailbox(threads, user, time, new Bursts(time, time), 10, 1000, lock),
                forgotten::add);
        bounded.close(bounded.open("bob", "b").record());
        for (int i = 0; i < 50; i++) {
            bounded.close(bounded.open("eve", "e" + i).record());
        }
        assertTrue(bounded.size() <= 5, () -> bounded.size() + " are kept");
        assertTrue(bounded.open("bob", "b").known());
        assertTrue(bounded.open("eve", "e49").known());
        assertFalse(bounded.open("eve", "e0").known());
        time.advance(Duration.ofDays(2));
        for (int i = 0; i < 3; i++) {
            bounded.close(bounded.open("eve", "f" + i).record());
        }
        assertTrue(bounded.open("eve", "f0").known(), "what is forgotten by age does not count");
    }

    @Test
    void clientsAreToldApartByTheirUsersToo() {
        ClientRecords.ClientRecord anns = openAndClose("a");
        ClientRecords.Opened bobs = records.open("bob", "a");
        assertFalse(bobs.known());
        assertNotSame(anns, bobs.record());
    }

    @Test
    void clientWithoutAnIdHasARecordThatNobodyFindsAgain() {
        ClientRecords.Opened opened = records.open("ann", null);
        assertFalse(opened.known());
        assertEquals(0, records.size());
        records.close(opened.record());
        assertEquals(0, records.size());
        assertNotSame(opened.record(), records.open("ann", null).record());
    }

    @Test
    void olderConnectionTakesNothingFromANewerOne() {
        ClientRecords.ClientRecord record = records.open("ann", "a").record();
        try (TestServer test = new TestServer(TestServer::byName, builder -> builder)) {
            test.plain("one");
            test.plain("two");
            ServerSession one = (ServerSession)
                    test.server.connections().user("one").sessions().get(0);
            ServerSession two = (ServerSession)
                    test.server.connections().user("two").sessions().get(0);
            assertNull(record.take(one, 1));
            assertEquals(Claim.GRANTED, record.claim(one, 3));
            assertEquals(Claim.GRANTED, record.claim(one, 3));
            assertEquals(Claim.OVERTAKEN, record.claim(one, 2));
            assertSame(two, record.take(two, 2), "overtaken");
            assertSame(one, record.take(two, 4));
            assertEquals(Claim.REPLACED, record.claim(one, 5), "which is about to end");
            assertEquals(Claim.OVERTAKEN, record.claim(two, 4));
        }
    }
}
