package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.Request;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * The cost of a message of a managed client: from the transport to its handler and, for a request, until the transport
 * has the reply.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class HandOverBenchmark {
    // Half of what a client may have in flight, a quarter of what a mailbox holds.
    static final int BURST = 256;
    private static final Event<String> SAY = Event.of("chat.say", String.class);
    private static final Request<String, String> ECHO = Request.of("chat.echo", String.class, String.class);
    private static final String TEXT = "m".repeat(120);

    /**
     * {@code caller}: handlers run on the benchmark's thread, so no hand-over between threads is measured. {@code own}:
     * handlers run on the executor that a server creates itself.
     */
    @Param({"caller", "own"})
    public String executor = "caller";

    private final String event = head(Outgoing.of(SAY.name()).room("chat:42").data(TEXT, SAY.type()));
    private final String question =
            head(Outgoing.of(ECHO.name()).ref("r-1234567").data(TEXT, ECHO.type()));
    private final AtomicLong handled = new AtomicLong();
    private final AtomicLong answered = new AtomicLong();
    private NullServer server;
    private NullConnection client;
    private long seq;
    private long events;
    private long questions;

    /** Opens the session and joins it to a room. What is sent for that has left before the first event is handled. */
    @Setup
    public void open() {
        server = new NullServer(
                executor.equals("own"),
                builder -> builder.allowJoin((session, room) -> true)
                        .on(SAY, (session, message) -> handled.incrementAndGet())
                        .onRequest(ECHO, (session, data) -> data));
        client = new NullConnection(0).hear(this::count);
        server.upgrade(client);
        server.begin(client, "user-1");
        server.join(client, "chat:42");
        tell();
        answered.set(0);
    }

    /**
     * Counts replies. A reply contains the text, so it is longer than an acknowledgement, the only other frame that is
     * sent.
     */
    private void count(MessageBatch batch) {
        for (WireMessage frame : batch.frames()) {
            if (frame.length() > TEXT.length()) {
                answered.incrementAndGet();
            }
        }
    }

    /** Returns a frame without the number of its message, which a client puts at the end. */
    private static String head(Outgoing message) {
        String all = message.frame().asText();
        return all.substring(0, all.length() - 1) + ",\"seq\":";
    }

    /** Sends one event and waits until its handler has run. */
    @Benchmark
    public long tell() {
        sendEvent();
        return await(handled, events);
    }

    /** Sends one request and waits until its reply was sent. */
    @Benchmark
    public long ask() {
        sendQuestion();
        return await(answered, questions);
    }

    /** Sends events that wait for one another in the mailbox. */
    @Benchmark
    @OperationsPerInvocation(BURST)
    public long tellMany() {
        for (int i = 0; i < BURST; i++) {
            sendEvent();
        }
        return await(handled, events);
    }

    /** Sends requests that wait for one another in the mailbox. */
    @Benchmark
    @OperationsPerInvocation(BURST)
    public long askMany() {
        for (int i = 0; i < BURST; i++) {
            sendQuestion();
        }
        return await(answered, questions);
    }

    private void sendEvent() {
        events++;
        client.receive(event + ++seq + "}");
    }

    private void sendQuestion() {
        questions++;
        client.receive(question + ++seq + "}");
    }

    private long await(AtomicLong counter, long count) {
        server.work();
        while (counter.get() < count) {
            Thread.onSpinWait();
        }
        return counter.get();
    }

    /** Checks that nothing was handled or answered twice, and closes the server. */
    @TearDown
    public void check() {
        if (handled.get() != events || answered.get() != questions) {
            throw new IllegalStateException(
                    handled + " of " + events + " events handled, " + answered + " of " + questions + " answered");
        }
        server.close();
    }
}
