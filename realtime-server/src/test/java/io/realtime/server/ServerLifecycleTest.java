package io.realtime.server;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.AdditionalAnswers.delegatesTo;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.clearInvocations;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.times;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.verifyNoInteractions;
import static org.mockito.Mockito.when;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.DirectTransport.Line;
import io.realtime.server.internal.connection.PeerAcceptor;
import io.realtime.server.internal.execution.Mailbox;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.mockito.ArgumentCaptor;

/** A server's own life: new, started, closed; and what its calls say when it is over. */
@Timeout(30)
class ServerLifecycleTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private static final StreamRequest<String, String> COUNT = StreamRequest.of("count", String.class, String.class);

    private final ServerTransport transport = mock(ServerTransport.class);

    private RealtimeServer server() {
        return RealtimeServer.builder().anonymous().transport(transport).build();
    }

    @Test
    void startAfterCloseBindsNothing() throws Exception {
        RealtimeServer server = server();
        server.close();
        var refused = assertThrows(IllegalStateException.class, server::start);
        assertEquals("the server is closed", refused.getMessage());
        verify(transport, never()).start(any(), any());
        verify(transport, never()).stop(any());
    }

    @Test
    void secondStartIsRefused() throws Exception {
        RealtimeServer server = server().start();
        var refused = assertThrows(IllegalStateException.class, server::start);
        assertEquals("the server was started before", refused.getMessage());
        verify(transport, times(1)).start(any(), any());
        server.close();
    }

    @Test
    void startThatFailsLeavesTheServerClosed() throws Exception {
        doThrow(new IOException("no such address"))
                .doThrow(new IllegalArgumentException("no such key"))
                .when(transport)
                .start(any(), any());
        RealtimeServer unbound = server();
        assertThrows(RealtimeException.class, unbound::start);
        assertThrows(IllegalStateException.class, unbound::start);
        RealtimeServer unfit = server();
        assertThrows(IllegalArgumentException.class, unfit::start);
        assertThrows(IllegalStateException.class, unfit::start);
        unbound.close();
        verify(transport, never()).stop(any());
    }

    @Test
    void secondCloserReturnsWhenTheFirstIsDone() throws Exception {
        CountDownLatch isStopping = new CountDownLatch(1);
        CountDownLatch mayStop = new CountDownLatch(1);
        doAnswer(stop -> {
                    isStopping.countDown();
                    mayStop.await();
                    return null;
                })
                .when(transport)
                .stop(any());
        RealtimeServer server = server().start();
        CompletableFuture<Void> first = CompletableFuture.runAsync(server::close);
        isStopping.await();
        CompletableFuture<Void> second = CompletableFuture.runAsync(server::close);
        Thread third = new Thread(server::close);
        third.start();
        third.interrupt();
        third.join(); // an interrupted one does not wait
        assertFalse(first.isDone() || second.isDone());
        mayStop.countDown();
        second.get();
        first.get();
        verify(transport, times(1)).stop(any());
        verify(transport, times(1)).stopAccepting();
    }

    @Test
    void closeWaitsForAStartThatIsInProgress() throws Exception {
        CountDownLatch isStarting = new CountDownLatch(1);
        CountDownLatch mayStart = new CountDownLatch(1);
        doAnswer(start -> {
                    isStarting.countDown();
                    mayStart.await();
                    return null;
                })
                .when(transport)
                .start(any(), any());
        RealtimeServer server = server();
        CompletableFuture<Void> start = CompletableFuture.runAsync(server::start);
        isStarting.await();
        CompletableFuture<Void> close = CompletableFuture.runAsync(server::close);
        mayStart.countDown();
        start.get();
        close.get();
        verify(transport, times(1)).stop(any());
    }

    @Test
    void startThatFailsAfterTheBindFreesThePort() throws Exception {
        Scheduler time = mock(Scheduler.class);
        doThrow(new OutOfMemoryError("no thread, as the test wants")).when(time).schedule(any(), any());
        RealtimeServer server = RealtimeServer.builder()
                .anonymous()
                .transport(transport)
                .scheduler(time)
                .build();
        assertThrows(OutOfMemoryError.class, server::start);
        verify(transport).stopAccepting();
        verify(transport).stop(Duration.ZERO);
        assertEquals(
                "the server is closed",
                assertThrows(IllegalStateException.class, server::start).getMessage());
        server.awaitClosed();
    }

    @Test
    void closeGoesOnThoughAPeerAndTheTransportThrow() throws Exception {
        DirectTransport direct = new DirectTransport();
        ServerTransport edge = mock(ServerTransport.class, delegatesTo(direct));
        doThrow(new IllegalStateException("expected by the test")).when(edge).stopAccepting();
        RealtimeServer server =
                RealtimeServer.builder().anonymous().transport(edge).build().start();
        List<Line> lines = new ArrayList<>();
        for (int i = 0; i < 5; i++) {
            lines.add(direct.open("", null));
        }
        await().until(() -> lines.stream().noneMatch(line -> line.received.isEmpty())); // all are welcome
        for (Line line : lines.subList(0, 2)) {
            line.reader = frame -> {
                if (frame.contains("$goodbye") || frame.contains("draining")) {
                    throw new OutOfMemoryError("expected by the test");
                }
            };
        }
        server.close(Duration.ofMillis(200));
        for (Line line : lines) {
            assertEquals(
                    CloseReason.DRAINING,
                    Objects.requireNonNull(line.closed.get()).code());
            assertTrue(line.received.stream().anyMatch(frame -> frame.contains("$goodbye")));
        }
        verify(edge).stop(any());
        server.awaitClosed();
    }

    @Test
    @SuppressWarnings("NullAway") // as an application without such a check
    void closeWithoutAGraceIsRefusedAndClosesNothing() throws Exception {
        RealtimeServer server = server().start();
        assertThrows(NullPointerException.class, () -> server.close(null));
        verify(transport, never()).stopAccepting();
        server.close();
        verify(transport).stop(any());
    }

    /** As at the JVM's end. */
    @Test
    void closeWithGraceWaitsForNoStartAndNoOtherClose() throws Exception {
        CountDownLatch isStarting = new CountDownLatch(1);
        CountDownLatch mayStart = new CountDownLatch(1);
        CountDownLatch isStopping = new CountDownLatch(1);
        CountDownLatch mayStop = new CountDownLatch(1);
        doAnswer(start -> {
                    isStarting.countDown();
                    mayStart.await();
                    return null;
                })
                .when(transport)
                .start(any(), any());
        doAnswer(stop -> {
                    isStopping.countDown();
                    mayStop.await();
                    return null;
                })
                .when(transport)
                .stop(any());
        RealtimeServer server = server();
        CompletableFuture<Void> start = CompletableFuture.runAsync(server::start);
        isStarting.await();
        server.close(0, 1);
        mayStart.countDown();
        start.get();
        CompletableFuture<Void> close = CompletableFuture.runAsync(server::close);
        isStopping.await();
        server.close(0, 1);
        assertFalse(close.isDone());
        mayStop.countDown();
        close.get();
    }

    /** A server with a handler that is told to begin and to end, and a client that it handles a message of. */
    private static final class Handling {
        final DirectTransport transport = new DirectTransport();
        final CountDownLatch hasBegun = new CountDownLatch(1);
        final CountDownLatch mayEnd = new CountDownLatch(1);
        final CountDownLatch isClosing = new CountDownLatch(1);
        final RealtimeServer server;

        Handling(Consumer<RealtimeServer> last) throws InterruptedException {
            AtomicReference<RealtimeServer> self = new AtomicReference<>();
            server = RealtimeServer.builder()
                    .anonymous()
                    .transport(transport)
                    .on(SAY, (session, message) -> {
                        hasBegun.countDown();
                        mayEnd.await();
                        last.accept(self.get());
                    })
                    .build()
                    .start();
            self.set(server);
            Line line = transport.open("", null);
            line.reader = frame -> {
                if (frame.contains("$goodbye")) {
                    isClosing.countDown();
                }
            };
            line.say("{'type':'say','data':'x'}");
            hasBegun.await();
        }

        CompletableFuture<Void> beginClose() throws InterruptedException {
            CompletableFuture<Void> close = CompletableFuture.runAsync(() -> server.close(Duration.ofHours(1)));
            isClosing.await();
            return close;
        }
    }

    @Test
    void secondCloserEndsTheGraceOfTheFirst() throws Exception {
        Handling handling = new Handling(server -> {});
        CompletableFuture<Void> first = handling.beginClose();
        handling.server.close(Duration.ofMillis(10));
        first.get();
        handling.mayEnd.countDown();
    }

    @Test
    void handlerThatClosesWhileAnotherDoesGoesOn() throws Exception {
        Handling handling = new Handling(server -> server.close(Duration.ofHours(2)));
        CompletableFuture<Void> first = handling.beginClose();
        handling.mayEnd.countDown();
        first.get();
    }

    @Test
    void handlerThatClosesIsNotWaitedFor() throws Exception {
        Handling handling = new Handling(server -> server.close(Duration.ofHours(1)));
        handling.mayEnd.countDown();
        handling.server.awaitClosed();
    }

    /** Puts a session into a started server's tables that notes what it is asked. */
    private ServerSession spy(RealtimeServer server) throws Exception {
        ArgumentCaptor<ServerTransport.Acceptor> core = ArgumentCaptor.forClass(ServerTransport.Acceptor.class);
        server.start();
        verify(transport).start(any(), core.capture());
        ServerSession session = mock(ServerSession.class);
        when(session.id()).thenReturn("some session");
        when(session.userId()).thenReturn("ann");
        ((PeerAcceptor) core.getValue()).table().remember(session);
        return session;
    }

    @Test
    void statsAsksNoSession() throws Exception {
        RealtimeServer server = server();
        ServerSession session = spy(server);
        when(session.mailbox()).thenReturn(mock(Mailbox.class));
        clearInvocations(session);
        ServerStats stats = server.stats();
        assertEquals(1, stats.sessions());
        assertEquals(1, stats.users());
        verifyNoInteractions(session);
        server.close(Duration.ZERO);
    }

    /**
     * A session whose handler is busy tells when it has passed; nothing asks it again and again. It is asked twice more when
     * what comes is not handled any more, and a last time for its listener.
     */
    @Test
    void closeAsksABusySessionOnceForEachWait() throws Exception {
        RealtimeServer server = server();
        ServerSession session = spy(server);
        Mailbox mailbox = mock(Mailbox.class);
        when(session.mailbox()).thenReturn(mailbox);
        AtomicReference<Runnable> passed = new AtomicReference<>();
        doAnswer(call -> {
                    if (!passed.compareAndSet(null, call.getArgument(0))) {
                        call.<Runnable>getArgument(0).run();
                    }
                    return null;
                })
                .when(mailbox)
                .whenPassed(any());
        Thread closer = new Thread(() -> server.close(Duration.ofHours(1)));
        closer.start();
        while (passed.get() == null || closer.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        verify(transport, never()).stop(any());
        Objects.requireNonNull(passed.get()).run();
        closer.join();
        verify(mailbox, times(4)).whenPassed(any());
        verify(mailbox, never()).isIdle();
        verify(transport).stop(any());
    }

    /** With the server's own threads, which are gone then. */
    @Test
    void everyCallOfAClosedServerEnds() throws Exception {
        DirectTransport direct = new DirectTransport();
        CountDownLatch isOpen = new CountDownLatch(1);
        RealtimeServer server = RealtimeServer.builder()
                .anonymous()
                .transport(direct)
                .listener(new SessionListener() {
                    @Override
                    public void onOpen(Session session) {
                        isOpen.countDown();
                    }
                })
                .build()
                .start();
        Line line = direct.open("", null);
        isOpen.await();
        assertTrue(line.closed.get() == null);
        Session session = server.connections().sessions().iterator().next();
        CompletableFuture<String> open = session.request(ASK, "before", Duration.ofHours(1));
        Failed openStream = new Failed();
        session.stream(COUNT, "before", openStream);
        server.close(Duration.ZERO);
        assertEquals(ErrorCode.CONNECTION_LOST, codeOf(open));
        openStream.ended.get(10, TimeUnit.SECONDS);

        for (int i = 0; i < 2; i++) {
            assertEquals(ErrorCode.CLOSED, codeOf(session.request(ASK, "after", Duration.ofSeconds(1))));
            Failed stream = new Failed();
            session.stream(COUNT, "after", stream);
            assertEquals(
                    ErrorCode.CLOSED,
                    assertInstanceOf(RealtimeException.class, stream.ended.get(10, TimeUnit.SECONDS))
                            .code());
        }
        for (Room room : List.of(
                server.connections().room("chat:1"),
                server.connections().everyone(),
                server.connections().user("ann").inbox())) {
            assertEquals(
                    ErrorCode.CLOSED,
                    assertThrows(RealtimeException.class, () -> room.send(SAY, "x"))
                            .code());
        }
        session.join("chat:1");
        assertEquals(0, server.stats().sessions());
        assertEquals(0, server.connections().room("chat:1").localMembers().size());
    }

    private static ErrorCode codeOf(CompletableFuture<?> future) {
        var failure = assertThrows(ExecutionException.class, () -> future.get(10, TimeUnit.SECONDS));
        return assertInstanceOf(RealtimeException.class, failure.getCause()).code();
    }

    private static final class Failed implements StreamListener<String> {
        final CompletableFuture<Throwable> ended = new CompletableFuture<>();

        @Override
        public void onItem(String item) {}

        @Override
        public void onError(Throwable failure) {
            ended.complete(failure);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "127.0.0.1, 7, false, 'ws://127.0.0.1:7/ws, transport DirectTransport'",
        "::1,       7, true,  'wss://[0:0:0:0:0:0:0:1]:7/ws, transport DirectTransport'",
        "127.0.0.1, 0, false, 'ws://127.0.0.1:1/ws, transport DirectTransport'", // the port that is bound
    })
    void startedServerSaysWhereItListens(String host, int port, boolean isEncrypted, String expected) throws Exception {
        RealtimeServer.Builder builder = RealtimeServer.builder()
                .anonymous()
                .transport(new DirectTransport())
                .host(host)
                .port(port);
        try (RealtimeServer started = (isEncrypted ? builder.tls(SSLContext.getDefault()) : builder)
                .build()
                .start()) {
            assertTrue(
                    started.toString().matches("Realtime \\d+\\.\\d+\\.\\S+ on " + Pattern.quote(expected)),
                    started::toString);
        }
    }
}
