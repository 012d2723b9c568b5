package io.realtime.testing;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Virtual time and a network in memory, for tests of an application's servers and clients. Everything runs on the
 * test's own thread, within the calls that advance the time, and in the same order in every run.
 *
 * <p>Give each server {@code .transport(network().serverTransport())}, {@code .scheduler(time())} and {@code
 * .executor(time())}, and each client {@code .transport(network().clientTransport())}, {@code .scheduler(time())} and
 * {@code .callbackExecutor(time())}. With JUnit, {@link TestEnvironmentExtension} creates and closes one for each test;
 * otherwise use it in a {@code try} statement. For one thread.
 */
public final class TestEnvironment implements AutoCloseable {
    private static final Duration SETTLED = Duration.ofMillis(20);
    private static final Duration STEP = Duration.ofMillis(1);
    private static final Duration PATIENCE = Duration.ofMinutes(1);
    private static final Duration AFTER_CLOSE = Duration.ofSeconds(30);

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final Deque<AutoCloseable> open = new ArrayDeque<>();

    /** Creates an environment with its own time and an empty network. */
    public TestEnvironment() {}

    /** Returns the time, which is both a scheduler and an executor. */
    public ManualScheduler time() {
        return time;
    }

    /** Returns the network, which can cut, delay and refuse connections. */
    public InMemoryNetwork network() {
        return network;
    }

    /** Returns the address, with the default path, of a server on this network. */
    public URI uri(int port) {
        return URI.create("ws://in-memory:" + port + "/ws");
    }

    /**
     * Registers a server or client to be closed with the environment: the last registered is closed first.
     *
     * @return the given resource
     */
    public <T extends AutoCloseable> T autoClose(T resource) {
        open.push(resource);
        return resource;
    }

    /**
     * Advances the time by 20 ms. At the default latency of 1 ms, what was sent before is then handled and answered.
     */
    public void settle() {
        time.advance(SETTLED);
    }

    /**
     * Advances the time until a stage is complete, by one minute at most.
     *
     * @return its result
     * @throws java.util.concurrent.CompletionException if the stage fails; the failure is the cause
     * @throws java.util.concurrent.CancellationException if the stage is cancelled
     * @throws AssertionError if the stage is not complete after one minute
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
     * Closes what was given to {@link #autoClose}, and advances the time by 30 s, in which all that they began ends.
     *
     * @throws AssertionError if a close fails, or if tasks are left because a server or client is still open
     */
    @Override
    public void close() {
        AssertionError failure = null;
        while (!open.isEmpty()) {
            AutoCloseable resource = open.pop();
            try {
                resource.close();
            } catch (Throwable thrown) {
                // For example an AssertionError of the resource: the others must still be closed.
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
