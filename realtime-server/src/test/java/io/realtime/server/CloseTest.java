package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.internal.SystemScheduler;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.DirectTransport;
import io.realtime.server.internal.DirectTransport.Line;
import io.realtime.server.internal.TestServer;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a graceful close waits for, and for what it cannot wait, with real threads. */
@Timeout(30)
class CloseTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private static final Event<Void> EMPTY = Event.of("empty", Void.class);
    private static final Duration LONG = Duration.ofHours(1);

    private final DirectTransport transport = new DirectTransport();
    private final CountDownLatch hasBegun = new CountDownLatch(1);
    private final CountDownLatch mayEnd = new CountDownLatch(1);
    private final AtomicBoolean hasEnded = new AtomicBoolean();
    private final CountDownLatch isClosing = new CountDownLatch(1);
    private final CompletableFuture<Authentication> proof = new CompletableFuture<>(); // of the token "later"
    private RealtimeServer server = start(builder -> builder);

    private RealtimeServer start(UnaryOperator<RealtimeServer.Builder> config) {
        if (server != null) {
            server.close(Duration.ZERO);
        }
        server = config.apply(RealtimeServer.builder()
                        .transport(transport)
                        .authenticator(this::authenticate)
                        .on(SAY, (session, message) -> block()))
                .build()
                .start();
        return server;
    }

    private CompletableFuture<Authentication> authenticate(Credentials credentials) {
        return "later".equals(credentials.token()) ? proof : TestServer.byName(credentials);
    }

    /** What the application's code does, which a close is to wait for. */
    private void block() throws InterruptedException {
        hasBegun.countDown();
        mayEnd.await();
        hasEnded.set(true);
    }

    private void blockQuietly() {
        try {
            block();
        } catch (InterruptedException interrupted) {
            throw new AssertionError(interrupted);
        }
    }

    private Line plain(String user) {
        Line line = transport.open("token=" + user, null);
        line.reader = frame -> {
            if (frame.contains("$goodbye")) {
                isClosing.countDown();
            }
        };
        return line;
    }

    private Thread beginClose() {
        Thread closer = new Thread(() -> server.close(LONG));
        closer.start();
        return closer;
    }

    private void assertCloseWaits() throws InterruptedException {
        Thread closer = beginClose();
        while (closer.isAlive() && closer.getState() != Thread.State.TIMED_WAITING) {
            Thread.onSpinWait();
        }
        assertTrue(closer.isAlive());
        mayEnd.countDown();
        closer.join();
        assertTrue(hasEnded.get());
    }

    @Test
    void closeRunsNoListenerThatTheExecutorHasRefused() throws Exception {
        AtomicBoolean isFull = new AtomicBoolean();
        Queue<Thread> heardOn = new ConcurrentLinkedQueue<>();
        CountDownLatch opened = new CountDownLatch(2);
        CountDownLatch heard = new CountDownLatch(2);
        start(builder -> builder.executor(task -> {
                    if (isFull.get()) {
                        throw new RejectedExecutionException("expected in the log");
                    }
                    new Thread(task).start();
                })
                .listener(new SessionListener() {
                    @Override
                    public void onOpen(Session session) {
                        opened.countDown();
                    }

                    @Override
                    public void onClose(Session session, CloseReason reason) {
                        heardOn.add(Thread.currentThread());
                        blockQuietly();
                        heard.countDown();
                    }
                }));
        plain("ann");
        plain("ben");
        opened.await();
        isFull.set(true);
        server.close(Duration.ofMillis(50)); // and returns, though the listener does not
        hasBegun.await();
        assertFalse(hasEnded.get());
        assertFalse(heardOn.contains(Thread.currentThread()));
        mayEnd.countDown();
        heard.await();
    }

    @ParameterizedTest
    @ValueSource(strings = {"kicked", "surplus", "left"})
    void closeWaitsForTheHandlerOfAnEndedSession(String way) throws Exception {
        start(builder -> builder.limits(Limits.builder()
                .sessionsPerUser(1, SessionOverflow.CLOSE_OLDEST)
                .build()));
        Line ann = plain("ann");
        ann.say("{'type':'say','data':'x'}");
        hasBegun.await();
        switch (way) {
            case "kicked" -> server.connections().user("ann").disconnect("out");
            case "surplus" -> {
                Line next = plain("ann");
                while (ann.closed.get() == null || next.received.isEmpty()) {
                    Thread.onSpinWait();
                }
            }
            default -> ann.abort();
        }
        assertCloseWaits();
    }

    /** It would wait for its close as long as the handlers of others run. */
    @Test
    void loginDuringCloseIsRefused() throws Exception {
        Line ann = plain("ann");
        ann.say("{'type':'say','data':'x'}");
        hasBegun.await();
        Line late = transport.open("token=later", null);
        Thread closer = beginClose();
        isClosing.await();
        assertNull(late.closed.get());
        proof.complete(Authentication.of("late"));
        while (late.closed.get() == null) {
            Thread.onSpinWait();
        }
        assertEquals(
                CloseReason.DRAINING, Objects.requireNonNull(late.closed.get()).code());
        assertTrue(closer.isAlive());
        mayEnd.countDown();
        closer.join();
    }

    @Test
    void closeDoesNotWaitForAPeerThatSaysNoHello() {
        Line silent = transport.open("", Protocol.SUBPROTOCOL);
        server.close(LONG);
        assertEquals(
                CloseReason.DRAINING,
                Objects.requireNonNull(silent.closed.get()).code());
    }

    @Test
    void closeWaitsForOnClose() throws Exception {
        CompletableFuture<Void> sent = new CompletableFuture<>();
        start(builder -> builder.listener(new SessionListener() {
            @Override
            public void onClose(Session session, CloseReason reason) {
                blockQuietly();
                server.connections().room("lobby").send(SAY, "left"); // throws when the server is closed
                sent.complete(null);
            }
        }));
        Line ann = plain("ann");
        while (ann.received.isEmpty()) {
            Thread.onSpinWait();
        }
        assertCloseWaits();
        assertTrue(sent.isDone());
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void closeWaitsForAnAnswerThatIsGivenLater(boolean isManaged) throws Exception {
        CompletableFuture<String> answer = new CompletableFuture<>();
        start(builder -> builder.onRequestAsync(ASK, (session, question) -> {
            hasBegun.countDown();
            return answer;
        }));
        Line ann = transport.open("token=ann", isManaged ? Protocol.SUBPROTOCOL : null);
        if (isManaged) {
            ann.say("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        }
        ann.say("{'type':'ask','ref':'1','data':'x'" + (isManaged ? ",'seq':1" : "") + "}");
        hasBegun.await();
        Thread answering = new Thread(() -> {
            blockQuietly();
            answer.complete("yes");
        });
        answering.start();
        assertCloseWaits();
        List<String> last = ann.received.subList(ann.received.size() - (isManaged ? 3 : 2), ann.received.size());
        assertTrue(last.get(0).contains("$reply"), last::toString);
        assertEquals(isManaged, last.get(1).contains("\"$ack\",\"data\":{\"seq\":1,\"answers\":1}"));
        answering.join();
    }

    private Line managed(String user) {
        Line line = transport.open("", Protocol.SUBPROTOCOL);
        line.say("{'type':'$hello','data':{'token':'" + user + "','client':'client-of-" + user + "-0123456789'}}");
        return line;
    }

    /** The connection is closed while a thread is about to acknowledge on it. */
    @Test
    void acknowledgementThatIsNotTakenComesWithTheClose() throws Exception {
        start(builder -> builder.on(EMPTY, (session, message) -> {})
                .allowJoin((session, room) -> true)
                .limits(Limits.builder().inflight(4).build())); // each message is acknowledged at once
        Line ann = managed("ann");
        ann.say("{'type':'$join','room':'r','ref':'1'}");
        while (ann.received.stream().noneMatch(frame -> frame.contains("$reply"))) { // behind all of the welcome
            Thread.onSpinWait();
        }
        AtomicBoolean isFirst = new AtomicBoolean(true);
        CountDownLatch isSending = new CountDownLatch(1);
        ann.sender = batch -> {
            if (batch.frames().get(0).asText().contains("$ack") && isFirst.getAndSet(false)) {
                isSending.countDown();
                while (ann.closed.get() == null) {
                    Thread.onSpinWait();
                }
            }
        };
        ann.say("{'type':'empty','seq':1}");
        isSending.await();
        server.connections().user("ann").disconnect("out");
        assertEquals(
                1, ann.received.stream().filter(frame -> frame.contains("$ack")).count(), ann.received::toString);
    }

    /** One client that goes on sending, so that its mailbox is never idle. */
    @Test
    void closeDoesNotWaitForAClientThatGoesOnSending() throws Exception {
        AtomicReference<Line> line = new AtomicReference<>();
        AtomicInteger sent = new AtomicInteger(1);
        AtomicInteger handled = new AtomicInteger();
        start(builder -> builder.on(EMPTY, (session, message) -> {
            Objects.requireNonNull(line.get()).say("{'type':'empty','seq':" + sent.incrementAndGet() + "}");
            handled.incrementAndGet();
            hasBegun.countDown();
        }));
        Line ann = managed("ann");
        line.set(ann);
        ann.say("{'type':'empty','seq':1}");
        hasBegun.await();
        server.close(LONG);
        assertEquals(
                CloseReason.DRAINING, Objects.requireNonNull(ann.closed.get()).code());
        assertTrue(last(ann, "$ack").contains("\"seq\":" + handled), () -> handled + ": " + ann.received);
    }

    private static String last(Line line, String what) {
        return line.received.stream().filter(frame -> frame.contains(what)).reduce("", (before, next) -> next);
    }

    @Test
    void handlerThatRunsLongerIsAcknowledgedWithItsRefusal() throws Exception {
        AtomicInteger waits = new AtomicInteger();
        SystemScheduler time = new SystemScheduler("test");
        Scheduler impatient = new Scheduler() {
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
                return time.schedule(delay, task);
            }

            @Override
            public boolean await(CountDownLatch latch, Duration timeout) throws InterruptedException {
                if (waits.getAndIncrement() == 0) {
                    return false; // half of the grace is over
                }
                mayEnd.countDown();
                return time.await(latch, timeout);
            }
        };
        start(builder -> builder.scheduler(impatient).onRequest(ASK, (session, question) -> {
            block();
            throw new RealtimeException(ErrorCode.FORBIDDEN, "refused");
        }));
        Line ann = managed("ann");
        ann.say("{'type':'ask','ref':'1','seq':1,'data':'x'}");
        hasBegun.await();
        server.close(LONG);
        List<String> last = ann.received.subList(ann.received.size() - 3, ann.received.size());
        assertTrue(last.get(0).contains("\"code\":\"forbidden\""), last::toString);
        assertTrue(last.get(1).contains("\"$ack\",\"data\":{\"seq\":1,\"answers\":1}"), last::toString);
        time.close();
    }

    @Test
    void closeWaitsForTheAnswerOfNoHandlerThatFailed() throws Exception {
        start(builder -> builder.onRequestAsync(ASK, (session, question) -> {
            hasBegun.countDown();
            throw new IllegalStateException("expected by the test");
        }));
        plain("ann").say("{'type':'ask','ref':'1','data':'x'}");
        hasBegun.await();
        beginClose().join();
    }

    @Test
    void requestHandlerThatClosesIsNotWaitedFor() throws Exception {
        start(builder -> builder.onRequestAsync(ASK, (session, question) -> {
            server.close(LONG);
            return new CompletableFuture<>();
        }));
        plain("ann").say("{'type':'ask','ref':'1','data':'x'}");
        server.awaitClosed();
    }

    @Test
    void onCloseThatClosesWhileAnotherDoesGoesOn() throws Exception {
        start(builder -> builder.listener(new SessionListener() {
            @Override
            public void onClose(Session session, CloseReason reason) {
                server.close(Duration.ofHours(2));
            }
        }));
        Line ann = plain("ann");
        while (ann.received.isEmpty()) {
            Thread.onSpinWait();
        }
        beginClose().join();
    }

    @Test
    void joinRuleThatClosesIsNotWaitedFor() throws Exception {
        start(builder -> builder.limits(Limits.builder().ruleTimeout(LONG).build())
                .allowJoin((session, room) -> {
                    server.close(LONG);
                    return true;
                }));
        plain("ann").say("{'type':'$join','room':'a','ref':'1'}");
        server.awaitClosed();
    }

    @Test
    void joinRuleThatClosesWhileAnotherDoesGoesOn() throws Exception {
        start(builder -> builder.limits(Limits.builder().ruleTimeout(LONG).build())
                .allowJoin((session, room) -> {
                    blockQuietly();
                    server.close(Duration.ofHours(2));
                    return true;
                }));
        plain("ann").say("{'type':'$join','room':'a','ref':'1'}");
        hasBegun.await();
        Thread closer = beginClose();
        isClosing.await();
        mayEnd.countDown();
        closer.join();
    }
}
