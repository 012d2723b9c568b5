package io.realtime.server.internal.room;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Position;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.server.Limits;
import io.realtime.server.Retention;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.mockito.Mockito;

/** How a member is handed the log from its position on. */
class RoomReplayTest extends RoomChannelFixture {
    @Test
    void replayThatPausesGoesOnWhereItStopped() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        for (int i = 0; i < 1000; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        PausingOutlet outlet = new PausingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), outlet, null, 1000);
        joined.room().start(joined.link());
        assertEquals(256, outlet.offsets().size());
        broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        while (outlet.proceed != null) {
            Runnable proceed = outlet.proceed;
            outlet.proceed = null;
            proceed.run();
        }
        assertEquals(LongStream.rangeClosed(1, 1001).boxed().toList(), outlet.offsets());
    }

    @Test
    void replayOvertakenByTheLogReportsTheGap() {
        LocalBroker broker = broker(new Retention(300, Duration.ofHours(1)), 1 << 20);
        for (int i = 0; i < 300; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        PausingOutlet outlet = new PausingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), outlet, null, 300);
        joined.room().start(joined.link());
        for (int i = 0; i < 300; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        Objects.requireNonNull(outlet.proceed).run();
        String last = outlet.frames.get(outlet.frames.size() - 1).asText();
        assertTrue(last.contains("$gap") && last.contains("\"offset\":600"), last);
    }

    @Test
    void replayOfEvictedMessagesReportsTheGap() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        for (int i = 0; i < 1000; i++) {
            broker.publish("r", "r", Outgoing.of("e"), Recipients.EVERYONE);
        }
        PausingOutlet outlet = new PausingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), outlet, null, 1000);
        joined.room().start(joined.link());
        assertTrue(joined.room().forgetUpTo(100), "what it has is forgotten without harm");
        Runnable proceed = Objects.requireNonNull(outlet.proceed);
        outlet.proceed = null;
        proceed.run();
        assertEquals(512, outlet.offsets().size());
        joined.room().forgetUpTo(Long.MAX_VALUE); // a reader that claims what it cannot have
        Objects.requireNonNull(outlet.proceed).run();
        String last = outlet.frames.get(outlet.frames.size() - 1).asText();
        assertTrue(last.contains("$gap") && last.contains("\"offset\":1000"), last);
    }

    /** Memory that has run out during a replay, say, while the client joins anew from a position of its own. */
    @Test
    void joinAfterAReplayThatFailsIsReported() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        Subscriber member = session();
        List<String> told = new ArrayList<>();
        Position first = Objects.requireNonNull(positionOf(broker, "r"));
        MemberConnection broken = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {
                LocalBroker.JoinChange anew = broker.link("r", "r", member, this, first, 0);
                assertTrue(anew.awaitDelivery(() -> told.add("joined")));
                throw new NoClassDefFoundError("as requested");
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        broker.link("r", "r", member, broken, null, 10).start();
        assertEquals(List.of("joined"), told);
    }

    @Test
    void actionsDuringReplayRunAfterItInOrder() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        assertNotNull(positionOf(broker, "r"));
        PausingOutlet outlet = new PausingOutlet();
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), outlet, null, 10);
        joined.start();
        List<String> ran = new ArrayList<>();
        for (String one : List.of("first", "second", "third")) {
            assertTrue(joined.room().awaitDelivery(joined.link(), () -> ran.add(one)));
        }
        Objects.requireNonNull(outlet.proceed).run();
        assertEquals(List.of("first", "second", "third"), ran);
    }

    @Test
    void replayFillsABatchExactly() {
        String data = '"' + "x".repeat(10_000) + '"';
        int length = Outgoing.of("e").rawData(data).frame(1).length();
        Limits limits = Limits.builder()
                .messageBytes(20_000)
                .outboundBytes(4 * 3 * length)
                .build();
        LocalBroker broker = new LocalBroker(time, Runnable::run, new Random(1), room -> Retention.defaults(), limits);
        for (int i = 0; i < 9; i++) {
            broker.publish("r", "r", Outgoing.of("e").rawData(data), Recipients.EVERYONE);
        }
        PausingOutlet outlet = new PausingOutlet();
        broker.link("r", "r", session(), outlet, null, 10).start();
        assertEquals(List.of(1L, 2L, 3L), outlet.offsets());
    }

    /** What it had to answer is gone with the messages, as far as anybody can tell. */
    @Test
    void sessionIsToldThatItsInboxOvertookItsReplay() {
        LocalBroker broker = broker(new Retention(300, Duration.ofHours(1)), 1 << 20);
        PausingOutlet outlet = new PausingOutlet();
        Subscriber reader = session();
        outrun(broker, Names.SESSION, reader, outlet);
        Objects.requireNonNull(outlet.proceed).run();
        Mockito.verify(reader).inboxLost();
        Subscriber member = session();
        outrun(broker, "r", member, outlet);
        Objects.requireNonNull(outlet.proceed).run();
        Mockito.verify(member, Mockito.never()).inboxLost();
    }

    @Test
    void replayEndsWithItsConnection() {
        LocalBroker broker = broker(new Retention(300, Duration.ofHours(1)), 1 << 20);
        PausingOutlet outlet = new PausingOutlet();
        Subscriber reader = session();
        RoomChannel room = outrun(broker, Names.SESSION, reader, outlet);
        room.detach(reader, outlet);
        Objects.requireNonNull(outlet.proceed).run();
        Mockito.verify(reader, Mockito.never()).inboxLost(); // its next connection says from where it goes on
        assertEquals(256, outlet.frames.size());
        assertEquals(
                List.of(reader),
                room.members().stream().map(link -> link.session).toList());
    }

    /** Publishes more than a log holds while its replay pauses behind the first 256 messages. */
    private static RoomChannel outrun(LocalBroker broker, String name, Subscriber reader, PausingOutlet outlet) {
        for (int i = 0; i < 300; i++) {
            assertNotNull(positionOf(broker, name));
        }
        LocalBroker.JoinChange joined = broker.link(name, name, reader, outlet, null, 300);
        joined.start();
        for (int i = 0; i < 300; i++) {
            assertNotNull(positionOf(broker, name));
        }
        return joined.room();
    }

    @Test
    void joinOnTheSameConnectionGoesOnWithTheReplay() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        for (int i = 0; i < 300; i++) {
            assertNotNull(positionOf(broker, "r"));
        }
        Subscriber member = session();
        PausingOutlet outlet = new PausingOutlet();
        broker.link("r", "r", member, outlet, null, 300).start();
        assertEquals(256, outlet.offsets().size());
        LocalBroker.JoinChange anew = broker.link("r", "r", member, outlet, null, 10);
        assertEquals(256, anew.at().offset());
        anew.start();
        assertEquals(LongStream.rangeClosed(1, 300).boxed().toList(), outlet.offsets());
    }

    @Test
    void replayThatFailsEndsItsConnection() {
        LocalBroker broker = broker(Retention.defaults(), 1 << 20);
        assertNotNull(positionOf(broker, "r"));
        List<String> calls = new ArrayList<>();
        MemberConnection broken = new MemberConnection() {
            @Override
            public void send(MessageBatch batch) {
                throw new NoClassDefFoundError("as requested");
            }

            @Override
            public void abort() {
                calls.add("abort");
            }

            @Override
            public boolean awaitDrained(Runnable proceed) {
                return false;
            }
        };
        LocalBroker.JoinChange joined = broker.link("r", "r", session(), broken, null, 10);
        joined.start();
        assertEquals(List.of("abort"), calls);
        assertFalse(joined.room().awaitDelivery(joined.link(), () -> calls.add("proceed")), "nothing is read any more");
    }

    private static final class PausingOutlet implements MemberConnection {
        private final List<WireMessage> frames = new ArrayList<>();
        private @Nullable Runnable proceed;
        private boolean isFull;

        @Override
        public void send(MessageBatch batch) {
            frames.addAll(batch.frames());
            isFull = true;
        }

        /** Pauses behind each batch, and is empty when it goes on. */
        @Override
        public boolean awaitDrained(Runnable next) {
            boolean pauses = isFull;
            proceed = pauses ? next : null;
            isFull = false;
            return pauses;
        }

        List<Long> offsets() {
            return frames.stream().map(RoomReplayTest::offset).toList();
        }
    }
}
