package io.realtime.server.internal.transport;

import static org.awaitility.Awaitility.await;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.ArgumentMatchers.anyBoolean;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.times;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.when;

import io.realtime.internal.SystemScheduler;
import io.realtime.server.websocket.OpenConnections;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.ManualScheduler;
import io.realtime.testing.RawWebSocket;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.reflect.Field;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.java_websocket.server.WebSocketServer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.parallel.Isolated;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What becomes of the selector when something fails on it, with a timer that fails or holds back when it is told to. */
@Timeout(60)
@Isolated("watches all threads")
class LibraryServerIT {
    private static final Duration PENDING = Duration.ofMinutes(1); // tells an upgrade's deadline from a pause
    private static final int HANDSHAKE_BYTES = 100_000; // more than the library would read at once

    private final EchoAcceptor acceptor = new EchoAcceptor();
    private final Queue<RawWebSocket> clients = new ConcurrentLinkedQueue<>();
    private final Set<Thread> before = new HashSet<>();
    private final SystemScheduler time = new SystemScheduler("library-server-test");
    private volatile OnSchedule onSchedule = (delay, task) -> time.schedule(delay, task);
    private final OpenConnections open = new OpenConnections();
    private ServerSocketChannel listening;
    private LibraryServer server;

    private interface OnSchedule {
        Scheduler.Cancellable schedule(Duration delay, Runnable task);
    }

    private final Scheduler timer = new Scheduler() {
        @Override
        public long nanoTime() {
            return time.nanoTime();
        }

        @Override
        public long currentTimeMillis() {
            return time.currentTimeMillis();
        }

        @Override
        public Cancellable schedule(Duration delay, Runnable task) {
            return onSchedule.schedule(delay, task);
        }
    };

    @BeforeEach
    void start() throws Exception {
        before.addAll(Thread.getAllStackTraces().keySet());
        listening = ServerSocketChannel.open();
        listening.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        server = newServer(listening);
        server.startAndWait();
    }

    private LibraryServer newServer(ServerSocketChannel on) {
        return newServer(on, HANDSHAKE_BYTES);
    }

    private LibraryServer newServer(ServerSocketChannel on, int handshakeBytes) {
        ServerTransport.Config config = new ServerTransport.Config(
                new InetSocketAddress(0), 1 << 16, handshakeBytes, PENDING, 1 << 16, 100, 100, 100, null);
        return new LibraryServer(on, config, acceptor, timer, open);
    }

    @AfterEach
    void stop() throws Exception {
        for (RawWebSocket client : clients) {
            client.close();
        }
        server.stopAccepting();
        open.abort();
        until(() -> open.count() == 0);
        server.stopThreads();
        time.close();
    }

    @Test
    void failureWhileAcceptingEndsOnlyThatConnection() throws Exception {
        for (Throwable failure :
                List.of(new IllegalStateException("expected by the test"), new StackOverflowError("expected too"))) {
            OnSchedule well = onSchedule;
            onSchedule = (delay, task) -> {
                if (delay.equals(PENDING)) {
                    onSchedule = well;
                    throwIt(failure);
                }
                return well.schedule(delay, task);
            };
            assertEquals(0, connect().readToEnd().length);
            assertEchoes(upgraded());
            assertNull(server.problem());
        }
    }

    @Test
    void workerThatIsBusyStopsNoSelector() throws Exception {
        RawWebSocket first = upgraded();
        RawWebSocket second = upgraded();
        CountDownLatch isBusy = new CountDownLatch(1);
        CountDownLatch mayGoOn = new CountDownLatch(1);
        acceptor.interceptor = call -> {
            if (call.equals("text")) {
                acceptor.interceptor = later -> {};
                isBusy.countDown();
                awaitLatch(mayGoOn);
            }
        };
        try {
            first.text("keeps its worker");
            isBusy.await();
            second.text("is read meanwhile");
            for (int count = 3; count <= 4; count++) { // the first may be accepted before that is read
                int expected = count;
                connect();
                until(() -> open.count() == expected);
            }
        } finally {
            mayGoOn.countDown();
        }
        assertEquals("keeps its worker", first.read().text());
        assertEquals("is read meanwhile", second.read().text());
    }

    private static void awaitLatch(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException interrupted) {
            throw new IllegalStateException(interrupted);
        }
    }

    /** As many as would be enough for the library to believe that it has all buffers. */
    @Test
    void buffersThatCannotBeAllocatedStopNoSelector() throws Exception {
        ServerSocketChannel on = ServerSocketChannel.open();
        on.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        LibraryServer poor = newServer(on, Integer.MAX_VALUE); // more than any array holds
        poor.startAndWait();
        try {
            for (int i = 0; i < 2 * Runtime.getRuntime().availableProcessors() + 4; i++) {
                RawWebSocket client = RawWebSocket.connect(on.socket().getLocalPort());
                clients.add(client);
                sendUpgradeAndText(client);
                assertEquals(0, client.readToEnd().length, "connection " + i);
            }
            assertEquals(0, open.count());
            assertNull(poor.problem());
        } finally {
            poor.stopAccepting();
            poor.stopThreads();
        }
    }

    @Test
    void connectionsThatOverflowTheLibrarysCountAreServed() throws Exception {
        Field count = WebSocketServer.class.getDeclaredField("queueinvokes");
        count.setAccessible(true);
        count.set(server, Integer.MAX_VALUE);
        for (int i = 0; i < 4; i++) {
            assertEchoes(upgraded());
        }
        assertNull(server.problem());
    }

    /** In which order a selector sees its keys is chance: twenty times. */
    @Test
    void bytesAfterTheHeadAreReadWhileOthersAreAccepted() throws Exception {
        OnSchedule well = onSchedule;
        for (int i = 0; i < 20; i++) {
            int accepted = 3 * i + 1;
            RawWebSocket client = connect();
            until(() -> open.count() == accepted);
            AtomicInteger pauses = new AtomicInteger();
            AtomicReference<Runnable> held = new AtomicReference<>();
            onSchedule = (delay, task) -> {
                if (!isPause(delay)) {
                    return well.schedule(delay, task);
                }
                if (pauses.incrementAndGet() == 1) { // on the selector, whose next round reads and accepts
                    sendUpgradeAndText(client);
                    connect();
                    task.run();
                } else { // and after that it sleeps
                    held.set(task);
                }
                return () -> {};
            };
            connect();
            client.readHead();
            assertEquals("hi", client.read().text(), "round " + i);
            until(() -> pauses.get() == 2 && held.get() != null);
            onSchedule = well;
            Objects.requireNonNull(held.get()).run();
        }
    }

    /** As above; the library would begin each round with the same ones. */
    @Test
    void openConnectionsAreReadDuringAnAcceptFlood() throws Exception {
        OnSchedule well = onSchedule;
        for (int i = 0; i < 20; i++) {
            RawWebSocket client = upgraded();
            Queue<Runnable> held = new ConcurrentLinkedQueue<>();
            onSchedule = (delay, task) -> {
                if (!isPause(delay)) {
                    return well.schedule(delay, task);
                }
                try {
                    connect().close(); // on the selector: there is always one more
                    if (held.isEmpty()) {
                        client.text("hi");
                    }
                    held.add(task);
                } catch (IOException failure) {
                    throw new UncheckedIOException(failure);
                }
                return () -> {};
            };
            connect();
            assertEquals("hi", client.read().text(), "round " + i);
            onSchedule = well;
            held.forEach(Runnable::run);
        }
    }

    private static void sendUpgradeAndText(RawWebSocket client) {
        String upgrade = String.join(
                "\r\n",
                "GET / HTTP/1.1",
                "Host: x",
                "Upgrade: websocket",
                "Connection: Upgrade",
                "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
                "",
                "");
        byte[] frame = RawWebSocket.encode(true, RawWebSocket.TEXT, new byte[] {'h', 'i'});
        ByteBuffer both = ByteBuffer.allocate(upgrade.length() + frame.length);
        both.put(upgrade.getBytes(StandardCharsets.US_ASCII)).put(frame);
        try {
            client.send(both.array());
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    @Test
    void headLongerThanTheLibrarysBufferIsRead() throws Exception {
        RawWebSocket client = connect();
        client.upgrade("/", "X-Long: " + "y".repeat(HANDSHAKE_BYTES - 1_000));
        assertEchoes(client);
    }

    @Test
    void selectorThatEndsIsAProblemAndItsConnectionsAreCut() throws Exception {
        RawWebSocket client = upgraded();
        thread("WebSocketSelector").interrupt();
        assertEquals(0, client.readToEnd().length);
        until(() -> "the selector has ended; see the log".equals(server.problem()));
    }

    @Test
    void stopOnTheSelectorDoesNotWaitForItself() throws Exception {
        CountDownLatch stopped = new CountDownLatch(1);
        OnSchedule well = onSchedule;
        onSchedule = (delay, task) -> {
            if (isPause(delay)) { // as after a failure
                try {
                    server.stop(0, "");
                } catch (InterruptedException own) {
                    Thread.currentThread().interrupt();
                }
                stopped.countDown();
            }
            return well.schedule(delay, task);
        };
        connect();
        assertTrue(stopped.await(10, TimeUnit.SECONDS));
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void pauseThatCannotBeScheduledStopsNoAccepting(boolean isError) throws Exception {
        OnSchedule well = onSchedule;
        onSchedule = (delay, task) -> {
            if (isPause(delay)) {
                throwIt(isError ? new StackOverflowError("expected by the test") : new IllegalStateException("too"));
            }
            return well.schedule(delay, task);
        };
        upgraded();
        upgraded();
        assertNull(server.problem());
    }

    @Test
    void listeningSocketThatWasClosedIsAProblem() throws Exception {
        listening.close();
        assertEquals("the listening socket was closed", server.problem());
    }

    private Thread thread(String name) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.getName().startsWith(name) && !before.contains(thread))
                .findAny()
                .orElseThrow();
    }

    @Test
    void workerThatEndedIsAProblem() throws Exception {
        thread("WebSocketWorker").interrupt();
        until(() -> "a worker has ended; see the log".equals(server.problem()));
    }

    @Test
    void acceptThatFailsIsTriedAgainAndLibraryIsNotToldOfIt() throws Exception {
        for (Throwable failure : List.of(
                new IOException("Too many open files"), new IllegalStateException(), new StackOverflowError())) {
            ServerSocketChannel exhausted = bound();
            doThrow(failure).when(exhausted).accept();
            SelectionKey key = mock(SelectionKey.class);
            Selector selector = mock(Selector.class);
            when(key.selector()).thenReturn(selector);
            Set<SelectionKey> selected = new HashSet<>(Set.of(key));
            when(selector.selectedKeys()).thenReturn(selected);
            ManualScheduler clock = new ManualScheduler();
            onSchedule = clock::schedule;
            assertThrows(CancelledKeyException.class, () -> newServer(exhausted).onConnect(key));
            assertEquals(Set.of(), selected);
            verify(key).interestOps(0);
            clock.advance(Duration.ofMillis(499));
            verify(key, never()).interestOps(SelectionKey.OP_ACCEPT);
            clock.advance(Duration.ofMillis(1));
            verify(key).interestOps(SelectionKey.OP_ACCEPT);
            verify(selector, times(2)).wakeup();
        }
    }

    @Test
    void selectorThatCannotBeginFailsTheStart() throws Exception {
        for (Throwable failure : List.of(
                new IOException("expected by the test"), new IllegalStateException(), new StackOverflowError())) {
            ServerSocketChannel broken = bound();
            doThrow(failure).when(broken).configureBlocking(anyBoolean());
            IOException thrown =
                    assertThrows(IOException.class, () -> newServer(broken).startAndWait());
            assertEquals(failure, thrown.getCause());
        }
    }

    @Test
    void startWithoutAThreadForAWorkerFreesThePort() throws Exception {
        ServerSocketChannel on = ServerSocketChannel.open();
        on.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        InetSocketAddress address = (InetSocketAddress) on.getLocalAddress();
        LibraryServer poor = newServer(on);
        poor.workers.get(0).start(); // so that it cannot be started any more
        assertThrows(IOException.class, poor::startAndWait);
        on.close();
        try (ServerSocketChannel again = ServerSocketChannel.open()) {
            again.bind(address);
        }
    }

    @Test
    void startingWhileInterruptedLeavesNoThread() throws Exception {
        Thread starter = Thread.currentThread();
        CompletableFuture<Thread> selector = new CompletableFuture<>();
        ServerSocketChannel slow = bound();
        doAnswer(call -> {
                    selector.complete(Thread.currentThread());
                    starter.interrupt();
                    new CountDownLatch(1).await();
                    return null;
                })
                .when(slow)
                .configureBlocking(anyBoolean());
        LibraryServer starting = newServer(slow);
        assertThrows(InterruptedException.class, starting::startAndWait);
        until(() -> !selector.join().isAlive());
    }

    private static ServerSocketChannel bound() throws IOException {
        ServerSocketChannel channel = mock(ServerSocketChannel.class);
        when(channel.isOpen()).thenReturn(true);
        when(channel.getLocalAddress()).thenReturn(new InetSocketAddress(0));
        return channel;
    }

    /** Of accepting, which only the selector asks for; that a socket is closed a little later is the timer's wish. */
    private static boolean isPause(Duration delay) {
        return !delay.equals(PENDING)
                && !delay.isZero()
                && Thread.currentThread().getName().startsWith("WebSocketSelector");
    }

    private static void until(Callable<Boolean> condition) {
        await().pollDelay(Duration.ZERO).pollInterval(Duration.ofMillis(1)).until(condition);
    }

    private static void throwIt(Throwable failure) {
        if (failure instanceof Error error) {
            throw error;
        }
        throw (RuntimeException) failure;
    }

    private static void assertEchoes(RawWebSocket client) throws IOException {
        client.text("well");
        assertEquals("well", client.read().text());
    }

    private RawWebSocket connect() {
        try {
            RawWebSocket client = RawWebSocket.connect(((InetSocketAddress) listening.getLocalAddress()).getPort());
            clients.add(client);
            return client;
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private RawWebSocket upgraded() throws IOException {
        RawWebSocket client = connect();
        client.upgrade("/");
        return client;
    }
}
