package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.AdditionalAnswers.delegatesTo;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.anyInt;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.verify;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.spi.Connection;
import io.realtime.spi.Handshake;
import io.realtime.spi.ServerTransport;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.mockito.ArgumentCaptor;

/** A transport that throws while it sends, for want of memory, say, ends one connection, and leaves no gap in it. */
class FailingTransportTest {
    private static final Event<Integer> NEWS = Event.of("news", Integer.class);

    private final AtomicBoolean fails = new AtomicBoolean();
    private final AtomicBoolean failsToQueue = new AtomicBoolean();
    private final AtomicBoolean failsToLag = new AtomicBoolean();
    private final AtomicInteger sent = new AtomicInteger();
    private final List<CloseReason> detached = new ArrayList<>();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoin((session, room) -> true).listener(new SessionListener() {
                @Override
                public void onDetach(Session session, CloseReason reason) {
                    detached.add(reason);
                }
            }),
            this::failing);

    private ServerTransport failing(ServerTransport transport) {
        ServerTransport edge = mock(ServerTransport.class, delegatesTo(transport));
        try {
            doAnswer(start -> {
                        transport.start(start.getArgument(0), failing(start.<ServerTransport.Acceptor>getArgument(1)));
                        return null;
                    })
                    .when(edge)
                    .start(any(), any());
        } catch (IOException impossible) { // nothing is started here
            throw new AssertionError(impossible);
        }
        return edge;
    }

    @Test
    void startThatFailsNamesAddressAndTransportsReason() throws IOException {
        for (String reason : List.of("Permission denied", "Address already in use", "whatever the system says")) {
            ServerTransport unbound = mock(ServerTransport.class);
            doThrow(new BindException(reason)).when(unbound).start(any(), any());
            RealtimeServer server = RealtimeServer.builder()
                    .anonymous()
                    .host("127.0.0.1")
                    .port(80)
                    .transport(unbound)
                    .build();
            RealtimeException failure = assertThrows(RealtimeException.class, server::start);
            assertEquals("cannot listen on 127.0.0.1:80: " + reason, failure.getMessage());
        }
    }

    private ServerTransport.Acceptor failing(ServerTransport.Acceptor acceptor) {
        ServerTransport.Acceptor edge = mock(ServerTransport.Acceptor.class, delegatesTo(acceptor));
        doAnswer(open -> acceptor.open(failing(open.<Connection>getArgument(0)), open.getArgument(1)))
                .when(edge)
                .open(any(Connection.class), any(Handshake.class));
        return edge;
    }

    private Connection failing(Connection connection) {
        Connection edge = mock(Connection.class, delegatesTo(connection));
        doAnswer(send -> {
                    sent.incrementAndGet();
                    if (fails.getAndSet(false)) {
                        throw new OutOfMemoryError("as the test wants");
                    }
                    return connection.send(send.getArgument(0));
                })
                .when(edge)
                .send(any());
        doAnswer(queue -> {
                    sent.incrementAndGet();
                    if (failsToQueue.getAndSet(false)) {
                        throw new OutOfMemoryError("as the test wants");
                    }
                    return connection.queue(queue.getArgument(0));
                })
                .when(edge)
                .queue(any());
        doAnswer(lags -> {
                    if (failsToLag.getAndSet(false)) {
                        throw new OutOfMemoryError("as the test wants");
                    }
                    return connection.awaitWritable(lags.getArgument(0));
                })
                .when(edge)
                .awaitWritable(any());
        return edge;
    }

    @Test
    void connectionThatCannotBeginIsNotCounted() throws IOException {
        ServerTransport edge = mock(ServerTransport.class);
        Connection poor = mock(Connection.class);
        doThrow(new OutOfMemoryError("as the test wants")).when(poor).limitMessages(anyInt());
        try (RealtimeServer server =
                RealtimeServer.builder().anonymous().transport(edge).build().start()) {
            ArgumentCaptor<ServerTransport.Acceptor> acceptor = ArgumentCaptor.forClass(ServerTransport.Acceptor.class);
            verify(edge).start(any(), acceptor.capture());
            Handshake handshake = new Handshake("/ws", "", Map.of(), new InetSocketAddress(1));
            assertThrows(OutOfMemoryError.class, () -> acceptor.getValue().open(poor, handshake));
            assertEquals(0, server.stats().connections());
        }
    }

    @AfterEach
    void close() {
        test.close();
    }

    @Test
    void memberThatWouldMissAMessageIsCutBeforeTheNext() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','room':'news','ref':'1'}");
        test.server.connections().room("news").send(NEWS, 1);
        test.settle();
        fails.set(true);
        test.server.connections().room("news").send(NEWS, 2);
        test.server.connections().room("news").send(NEWS, 3);
        test.settle();
        assertEquals(1, ann.next("news").get("data").getAsInt());
        assertFalse(ann.types().contains("news"), "what comes behind the gap");
        assertEquals(
                List.of(CloseReason.ABNORMAL),
                detached.stream().map(CloseReason::code).toList());
    }

    @Test
    void memberWhoseConnectionFailsBeforeItIsSentToIsCut() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','room':'news','ref':'1'}");
        failsToLag.set(true);
        test.server.connections().room("news").send(NEWS, 1);
        test.server.connections().room("news").send(NEWS, 2);
        test.settle();
        assertFalse(ann.types().contains("news"), "what comes behind the gap");
        assertEquals(CloseReason.ABNORMAL, ann.closeCode());
    }

    @Test
    void othersInTheRoomMissNothing() {
        TestPeer ann = test.plain("ann");
        TestPeer bob = test.plain("bob");
        for (TestPeer peer : List.of(ann, bob)) {
            peer.send("{'type':'$join','room':'news','ref':'1'}");
        }
        fails.set(true);
        for (int i = 0; i < 3; i++) {
            test.server.connections().room("news").send(NEWS, i);
        }
        test.settle();
        assertEquals(0, ann.types().stream().filter("news"::equals).count());
        assertEquals(3, bob.types().stream().filter("news"::equals).count());
        assertNull(bob.closed());
    }

    /** A welcome leaves with what follows it. */
    @Test
    void sessionWhoseWelcomeIsNotSentEnds() {
        failsToQueue.set(true);
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        assertFalse(failsToQueue.get());
        assertEquals(CloseReason.ABNORMAL, ann.closeCode());
        assertEquals(0, test.server.stats().sessions());
        assertEquals(0, test.server.stats().connections());
    }

    @Test
    void sessionThatIsNotWelcomedBackCanBeResumedLater() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        String again = "{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + ann.data("$welcome").get("session").getAsString() + "'}}";
        ann.cut();
        failsToQueue.set(true);
        TestPeer unlucky = test.connect("realtime.v1", "/ws");
        unlucky.send(again);
        assertFalse(failsToQueue.get());
        assertEquals(CloseReason.ABNORMAL, unlucky.closeCode());
        assertEquals(0, test.server.stats().connections());
        assertEquals(1, test.server.stats().sessions());
        TestPeer back = test.connect("realtime.v1", "/ws");
        back.send(again);
        assertTrue(back.data("$welcome").get("resumed").getAsBoolean());
    }

    @Test
    void sessionThatIsNotWelcomedBackExpires() {
        TestPeer ann = test.connect("realtime.v1", "/ws");
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        String again = "{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789','session':'"
                + ann.data("$welcome").get("session").getAsString() + "'}}";
        ann.cut();
        failsToQueue.set(true);
        test.connect("realtime.v1", "/ws").send(again);
        assertEquals(
                List.of(CloseReason.ABNORMAL, CloseReason.INTERNAL_ERROR),
                detached.stream().map(CloseReason::code).toList());
        test.time.advance(Duration.ofMinutes(5));
        assertEquals(0, test.server.stats().sessions());
    }

    @Test
    void connectionThatIsGoneIsSentNothingMore() {
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'$join','room':'news','ref':'1'}");
        ann.cut();
        sent.set(0);
        test.server.connections().room("news").send(NEWS, 1);
        test.settle();
        assertEquals(0, sent.get());
    }
}
