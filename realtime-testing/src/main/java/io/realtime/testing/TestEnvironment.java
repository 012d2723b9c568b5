package io.realtime.testing;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Virtual time and a network in memory, for tests of an application's servers and clients. Everything happens on the
 * test's own thread, within the calls that move the time, and in the same order in every run.
 *
 * <p>Give each server {@code .transport(network().serverTransport())}, {@code .scheduler(time())} and {@code
 * .executor(time())}, and each client {@code .transport(network().clientTransport())}, {@code .scheduler(time())} and
 * {@code .callbackExecutor(time())}. With JUnit, {@link TestEnvironmentExtension} makes and closes one for each test;
 * elsewhere use it in a {@code try} statement. For one thread.
 */
public final class TestEnvironment implements AutoCloseable {
    private static final Duration SETTLED = Duration.ofMillis(20);
    private static final Duration STEP = Duration.ofMillis(1);
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final Duration AFTER_CLOSE = Duration.ofSeconds(30);

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    /** An environment of its own: its time, and a network that is empty. */
    public TestEnvironment() {}

    /** Returns the time, which is a scheduler and an executor, too. */
    public ManualScheduler time() {
        return time;
    }

    /** Returns the network, which can cut, delay and refuse connections. */
    public InMemoryNetwork network() {
        return network;
    }

    /** Returns the address, with the default path, of a server that is started on this network. */
    public URI uri(int port) {
        return URI.create("ws://in-memory:" + port + "/ws");
    }

    /**
     * Closes a server or client when the environment is closed: what was given last goes first.
     *
     * @return the same
     */
    public <T extends AutoCloseable> T autoClose(T resource) {
        open.push(resource);
        return resource;
    }

    /** Moves the time by 20 ms. What was sent before, at the default latency of 1 ms, is handled and answered by then. */
    public void settle() {
        time.advance(SETTLED);
    }

    /**
     * Moves the time until a stage is complete, by a minute at most.
     *
     * @return its result
     * @throws java.util.concurrent.CompletionException when the stage fails, with its failure as the cause
     * @throws java.util.concurrent.CancellationException when the stage is cancelled
     * @throws AssertionError when it is not complete after a minute
     */
    public <T extends @Nullable Object> T await(CompletionStage<T> stage) {
        CompletableFuture<T> future = stage.toCompletableFuture();
        long end = time.nanoTime() + PATIENCE.toNanos();
        time.runDue();
        while (!future.isDone()) {
            if (time.nanoTime() >= end) {
                throw new AssertionError("not complete after " + PATIENCE + " of virtual time: " + stage);
            }
            time.advance(STEP);
        }
        return future.join();
    }

    /**
     * Closes what was given to {@link #autoClose}, and moves the time by 30 s, in which all that they had begun ends.
     *
     * @throws AssertionError when something fails to close, or when tasks are left: a server or client is still open
     */
    @Override
    public void close() {
        AssertionError failure = null;
        while (!open.isEmpty()) {
            AutoCloseable resource = open.pop();
            try {
                resource.close();
            } catch (Throwable thrown) { // an AssertionError of the resource, say: the others are closed all the same
                if (failure == null) {
                    failure = new AssertionError("not everything could be closed");
                }
                failure.addSuppressed(thrown);
            }
        }
        time.advance(AFTER_CLOSE);
        if (failure != null) {
            throw failure;
        }
        if (time.pending() > 0) {
            throw new AssertionError(time.pending()
                    + " tasks are left: a server or client of this test is still open; give it to autoClose");
        }
    }
}
