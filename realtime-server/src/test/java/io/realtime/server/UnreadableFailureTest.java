package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.logging.Handler;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.parallel.Isolated;

/** An exception that throws when it is asked for its message costs no answer, no slot and no later message. */
@Isolated("reads the log")
class UnreadableFailureTest {
    /** One of two objects that name each other. */
    private static final class Node {
        private Node other = this;

        @Override
        public String toString() {
            return "node of " + other;
        }
    }

    private static final class Unreadable extends RuntimeException {
        private static final long serialVersionUID = 1L;

        @Override
        public String getMessage() {
            Node first = new Node();
            Node second = new Node();
            first.other = second;
            second.other = first;
            return "invalid: " + first; // a StackOverflowError
        }
    }

    private static final class UnreadableRefusal extends RealtimeException {
        private static final long serialVersionUID = 1L;

        UnreadableRefusal() {
            super(ErrorCode.of("no_money"), "never read");
        }

        @Override
        public String getMessage() {
            throw new IllegalStateException("the message is not there");
        }
    }

    /** Throws when it is asked to call back. */
    private static final class Unlistenable extends CompletableFuture<Integer> {
        @Override
        public CompletableFuture<Integer> whenComplete(BiConsumer<? super Integer, ? super Throwable> action) {
            throw new UnsupportedOperationException("whenComplete");
        }
    }

    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Request<String, Integer> ASK = Request.of("ask", String.class, Integer.class);
    private static final StreamRequest<Void, Integer> FLOW = StreamRequest.of("flow", Void.class, Integer.class);
    private static final String BAD = "unreadable";

    /** As every handler of a log does. */
    private final Handler reader = new Handler() {
        @Override
        public void publish(LogRecord entry) {
            if (entry.getThrown() != null) {
                lines.add(entry.getThrown().toString());
            }
            lines.add(new SimpleFormatter().formatMessage(entry));
        }

        @Override
        public void flush() {}

        @Override
        public void close() {}
    };

    private final List<String> lines = new ArrayList<>();
    private final Logger log = Logger.getLogger("io.realtime");
    private final TestServer test = new TestServer(
            credentials -> switch (String.valueOf(credentials.token())) {
                case BAD -> throw new Unreadable();
                case "later" -> CompletableFuture.failedFuture(new Unreadable());
                case "refused" -> throw new UnreadableRefusal();
                default -> TestServer.byName(credentials);
            },
            builder -> builder.allowJoinAsync((session, room) -> {
                        if (room.equals(BAD)) {
                            throw new Unreadable();
                        }
                        return CompletableFuture.failedFuture(new Unreadable());
                    })
                    .on(SAY, (session, message) -> {
                        if (message.data().equals(BAD)) {
                            throw new Unreadable();
                        }
                        if (message.data().equals("refused")) {
                            throw new UnreadableRefusal();
                        }
                    })
                    .onRequestAsync(
                            ASK,
                            (session, how) -> how.equals("unlistenable")
                                    ? new Unlistenable()
                                    : CompletableFuture.failedFuture(new Unreadable()))
                    .onStreamAsync(FLOW, (session, nothing, out) -> {
                        throw new Unreadable();
                    })
                    .listener(new SessionListener() {
                        @Override
                        public void onError(Session session, Throwable failure) {
                            throw new Unreadable();
                        }
                    })
                    .limits(Limits.builder()
                            .requestsPerSession(2)
                            .streamsPerSession(2)
                            .build()));

    @BeforeEach
    void read() {
        log.addHandler(reader);
    }

    @AfterEach
    void close() {
        log.removeHandler(reader);
        test.close();
    }

    @Test
    void failureOfHandlerIsAnsweredAndAcknowledged() {
        TestPeer peer = test.managed("ann");
        assertEquals("internal", peer.errorOf("{'type':'say','seq':1,'data':'unreadable'}"));
        assertEquals("no_money", peer.errorOf("{'type':'say','seq':2,'data':'refused'}"));
        test.time.advance(Duration.ofMillis(200));
        assertEquals(2, peer.data("$ack").get("seq").getAsLong());
        assertEquals(0, test.server.stats().waiting());
    }

    @Test
    void failureIsLoggedByTheNameOfItsClass() {
        test.managed("ann").send("{'type':'say','seq':1,'data':'unreadable'}");
        String name = Unreadable.class.getName() + ", whose message cannot be read";
        assertEquals(2, lines.stream().filter(line -> line.endsWith(name)).count(), lines::toString);
    }

    @Test
    void failedAnswersAreGivenAndTheirSlotsGivenBack() {
        TestPeer peer = test.managed("ann");
        for (int i = 0; i < 5; i++) {
            assertEquals("internal", peer.errorOf("{'type':'ask','ref':'a" + i + "','data':'unreadable'}"));
        }
    }

    @Test
    void stageThatCannotBeListenedToIsAnsweredAndGivesItsSlotBack() {
        TestPeer peer = test.managed("ann");
        for (int i = 0; i < 5; i++) {
            assertEquals("internal", peer.errorOf("{'type':'ask','ref':'a" + i + "','data':'unlistenable'}"));
        }
    }

    @Test
    void failedStreamsAreAnsweredAndTheirSlotsGivenBack() {
        TestPeer peer = test.managed("ann");
        for (int i = 0; i < 5; i++) {
            assertEquals("internal", peer.errorOf("{'type':'flow','ref':'f" + i + "'}"));
        }
    }

    @Test
    void failureOfJoinRuleForbidsAtOnce() {
        TestPeer peer = test.plain("ann");
        assertEquals("forbidden", peer.errorOf("{'type':'$join','room':'unreadable','ref':'1'}"));
        assertEquals("forbidden", peer.errorOf("{'type':'$join','room':'other','ref':'2'}"));
    }

    @Test
    void failureOfAuthenticatorRefusesAtOnce() {
        for (String token : List.of(BAD, "later", "refused")) {
            TestPeer peer = test.connect("", "/ws?token=" + token);
            assertEquals(CloseReason.UNAUTHORIZED, peer.closeCode(), token);
        }
    }

    @Test
    void failureOfAuthenticatorLeavesTheNextTokenItsTurn() {
        TestPeer peer = test.managed("ann");
        assertEquals("unauthorized", peer.errorOf("{'type':'$auth','ref':'1','data':{'token':'unreadable'}}"));
        assertEquals("unauthorized", peer.errorOf("{'type':'$auth','ref':'2','data':{'token':'later'}}"));
        peer.send("{'type':'$auth','ref':'3','data':{'token':'ann'}}");
        assertEquals("3", peer.next("$reply").get("ref").getAsString());
    }
}
