package io.realtime.server.internal.execution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assertions.fail;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Limits;
import io.realtime.server.Retention;
import io.realtime.server.WatchedTransport;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.server.internal.room.LocalBroker;
import io.realtime.server.internal.room.MemberConnection;
import io.realtime.server.internal.room.Recipients;
import io.realtime.server.internal.room.Subscriber;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.HeldExecutor;
import io.realtime.testing.ManualScheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Executor;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.mockito.Mockito;

/** What handlers publish in one run of their mailbox leaves together, and never late. */
class BurstsTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<String> SAID = Event.of("said", String.class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);

    private final ManualScheduler time = new ManualScheduler();
    private final List<Throwable> failures = new ArrayList<>();
    private final HeldExecutor executor = new HeldExecutor();
    private final Bursts bursts = new Bursts(time, Runnable::run);
    private final Mailbox mailbox = new Mailbox(pool(executor), "ann", time, bursts, 1000, 1000, new ReentrantLock());
    private final LocalBroker broker =
            new LocalBroker(time, Runnable::run, new Random(1), room -> Retention.defaults(), Limits.defaults());

    @Test
    void burstLeavesInOneBatchPerRoom() {
        List<Integer> a = member("a");
        List<Integer> b = member("b");
        for (String room : List.of("a", "b", "a", "a")) {
            post(() -> publish(room));
        }
        run();
        assertEquals(List.of(3), a);
        assertEquals(List.of(1), b);
    }

    @Test
    void lastMessageOfBurstIsSentWhileItsHandlerRuns() {
        List<Integer> a = member("a");
        post(() -> {
            publish("a");
            assertEquals(List.of(1), a);
            publish("a");
            assertEquals(List.of(1, 1), a);
        });
        run();
    }

    @Test
    void handlerThatTakesLongHoldsBackForAMillisecondOnly() {
        List<Integer> a = member("a");
        post(() -> {
            publish("a");
            publish("a");
            assertEquals(List.of(), a);
            time.advance(Duration.ofMillis(1));
            assertEquals(List.of(2), a);
            publish("a");
            time.advance(Duration.ofMillis(1));
            assertEquals(List.of(2, 1), a, "watched again");
        });
        post(() -> {});
        run();
    }

    @Test
    void serverThatClosesHandsOverWhatIsHeldBack() {
        List<Integer> a = member("a");
        List<Integer> b = member("b");
        post(() -> {
            publish("a");
            publish("b");
            publish("b");
            broker.flush();
            assertEquals(List.of(1), a);
            assertEquals(List.of(2), b);
        });
        post(() -> {});
        run();
    }

    @Test
    void failedTaskLosesNoHeldMessages() {
        List<Integer> a = member("a");
        mailbox.post(() -> {
            publish("a");
            throw new AssertionError("expected in the log");
        });
        post(() -> {});
        run();
        assertEquals(List.of(1), a);
    }

    @Test
    void turnThatWaitsForTheRateLimitHoldsBackNothing() {
        List<Integer> a = member("a");
        post(() -> publish("a"));
        mailbox.offer(1, 0, () -> 1_000_000_000, () -> {});
        run();
        assertEquals(List.of(1), a);
    }

    @Test
    void otherPublishersDoNotWait() {
        List<Integer> a = member("a");
        post(() -> {
            publish("a");
            Thread other = new Thread(() -> publish("a"));
            other.start();
            join(other);
            assertEquals(List.of(2), a, "the other has taken ours along");
        });
        post(() -> {});
        run();
        assertEquals(List.of(2), a);
    }

    @Test
    void heldMessagesOfManyRoomsAreBounded() {
        List<List<Integer>> members =
                IntStream.range(0, 100).mapToObj(i -> member("r" + i)).toList();
        post(() -> {
            IntStream.range(0, 100).forEach(i -> publish("r" + i));
            assertEquals(64, members.stream().mapToInt(List::size).sum());
        });
        post(() -> {});
        run();
        assertEquals(100, members.stream().mapToInt(List::size).sum());
    }

    /** A mailbox that is run inside another, by an executor that runs at once, has a burst of its own. */
    @Test
    void nestedBurstsAreSeparate() {
        List<Integer> a = member("a");
        List<Integer> b = member("b");
        Mailbox inner = new Mailbox(pool(Runnable::run), "ann", time, bursts, 1000, 1000, new ReentrantLock());
        post(() -> {
            publish("a");
            inner.post(() -> {
                inner.post(() -> {});
                publish("b");
            });
            assertEquals(List.of(1), b);
            publish("a");
            assertEquals(List.of(), a);
        });
        post(() -> {});
        run();
        assertEquals(List.of(2), a);
    }

    @Test
    void heldMessagesAreSentBeforeTheSessionEnds() {
        try (TestServer test = new TestServer(
                TestServer::byName,
                builder -> builder.on(SAY, (session, message) -> {
                    session.send(SAID, message.data());
                    session.disconnect("enough");
                }))) {
            TestPeer peer = test.managed("alice");
            peer.post("{'type':'say','seq':1,'data':'last'}");
            peer.post("{'type':'say','seq':2,'data':'too late'}");
            test.settle();
            assertEquals("last", peer.next("said").get("data").getAsString());
            assertNotNull(peer.closed());
            assertEquals(CloseReason.KICKED, peer.closed().code());
        }
    }

    @Test
    void plainRepliesOfOneRunLeaveInOneWrite() {
        Writes writes = new Writes();
        try (TestServer test = new TestServer(
                TestServer::byName,
                builder -> builder.onRequest(ASK, (session, text) -> text).on(SAY, (session, message) -> {}),
                transport -> writes.watch(transport))) {
            TestPeer peer = test.plain("alice");
            for (String last : List.of("ask", "say")) {
                writes.calls.clear();
                for (String type : List.of("ask", "ask", last)) {
                    String ref = type.equals("ask") ? ",\"ref\":\"r\"" : "";
                    peer.post("{'type':'" + type + "'" + ref + ",'data':'text'}");
                }
                test.settle();
                String third = last.equals("ask") ? "send" : "flush";
                assertEquals(List.of("queue", "queue", third), writes.calls.subList(0, 3));
            }
            assertEquals(5, peer.types().stream().filter("$reply"::equals).count());
        }
    }

    @Test
    void replyOfASlowHandlerIsFlushedAfterAMillisecond() {
        List<String> flushes = new ArrayList<>();
        Bursts.Flushed connection = () -> flushes.add("flush");
        post(() -> {
            assertTrue(Bursts.isHolding());
            assertTrue(Bursts.defer(connection));
            assertTrue(Bursts.defer(connection));
            assertEquals(List.of(), flushes);
            time.advance(Duration.ofMillis(1));
            assertEquals(List.of("flush"), flushes);
        });
        post(() -> {
            assertFalse(Bursts.isHolding(), "nothing more waits");
            assertFalse(Bursts.defer(connection));
        });
        run();
        assertEquals(List.of("flush"), flushes);
    }

    /** Has a task run, and its failure told by {@link #run}: a mailbox only logs it. */
    private void post(Runnable task) {
        mailbox.post(() -> {
            try {
                task.run();
            } catch (Throwable failure) {
                failures.add(failure);
            }
        });
    }

    private Pool pool(Executor executor) {
        return new Pool("handlers", Pool.UNBOUNDED, executor, time);
    }

    private void run() {
        executor.runAll();
        failures.forEach(failure -> fail(failure));
    }

    private void publish(String room) {
        broker.publish(room, room, Outgoing.of("e").rawData("1"), Recipients.EVERYONE);
    }

    /** Returns how many frames each batch has that a new member is sent. */
    private List<Integer> member(String room) {
        List<Integer> batches = new ArrayList<>();
        Subscriber session = Mockito.mock(Subscriber.class);
        Mockito.when(session.id()).thenReturn("some session");
        Mockito.when(session.userId()).thenReturn("some user");
        LocalBroker.JoinChange joined = broker.link(
                room,
                room,
                session,
                new MemberConnection() {
                    @Override
                    public void send(MessageBatch batch) {
                        batches.add(batch.frames().size());
                    }

                    @Override
                    public boolean awaitDrained(Runnable proceed) {
                        return false;
                    }
                },
                null,
                0);
        joined.start();
        return batches;
    }

    private static void join(Thread thread) {
        try {
            thread.join();
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    /** What the server asks of its connections that leads to a write. */
    private static final class Writes {
        final List<String> calls = new ArrayList<>();

        ServerTransport watch(ServerTransport transport) {
            return WatchedTransport.of(
                    transport,
                    connection -> WatchedTransport.connection((proxy, method, arguments) -> {
                        if (Set.of("send", "queue", "flush").contains(method.getName())) {
                            calls.add(method.getName());
                        }
                        return method.invoke(connection, arguments);
                    }));
        }
    }
}
