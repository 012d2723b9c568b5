package io.realtime.examples;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A main class of the tests in a JVM of its own, which can be killed as a crash or an operator would: without a word.
 * A thread of this JVM hands over what it prints. Its input ends when this JVM does: a main that waits for that leaves
 * nothing behind.
 */
public final class Child implements AutoCloseable {
    private final Process process;
    private final CompletableFuture<Void> read;

    /** @param lines told each line that it prints, in order, on a thread of its own */
    Child(Class<?> main, Consumer<String> lines, String... args) throws IOException {
        this(List.of("-XX:TieredStopAtLevel=1"), main, lines, args);
    }

    /** As the other, with these options of the JVM. */
    public Child(List<String> options, Class<?> main, Consumer<String> lines, String... args) throws IOException {
        this(List.of(), options, main, lines, args);
    }

    /**
     * As above.
     *
     * @param prefix a command that turns into the one that follows it, such as a shell that sets a limit before
     */
    Child(List<String> prefix, List<String> options, Class<?> main, Consumer<String> lines, String... args)
            throws IOException {
        List<String> command = new ArrayList<>(prefix);
        command.add(ProcessHandle.current().info().command().orElseThrow());
        command.addAll(options);
        command.addAll(List.of("-cp", System.getProperty("java.class.path")));
        command.add(main.getName());
        command.addAll(List.of(args));
        process = new ProcessBuilder(command).redirectError(Redirect.INHERIT).start();
        read = new CompletableFuture<>();
        Thread reader = new Thread(() -> read(lines), "child-" + process.pid());
        reader.setDaemon(true);
        reader.start();
    }

    /** In the child: prints a line. */
    public static void print(String line) {
        System.out.println(line);
        System.out.flush();
    }

    /** Gives it a line of input. */
    public void tell(String line) throws IOException {
        process.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
        process.getOutputStream().flush();
    }

    /** Returns whether it has not ended. */
    public boolean isAlive() {
        return process.isAlive();
    }

    /** In the child: waits until the test's JVM ends, which a child does not outlive. */
    public static void untilTestEnds() throws IOException {
        while (System.in.read() >= 0) {}
    }

    private void read(Consumer<String> lines) {
        try (BufferedReader out = process.inputReader(StandardCharsets.UTF_8)) {
            out.lines().forEach(lines);
            read.complete(null);
        } catch (IOException | RuntimeException | AssertionError failure) {
            read.completeExceptionally(failure);
        }
    }

    /**
     * Kills it with SIGKILL, and waits until it is gone and all that it had printed was handed over.
     *
     * @return how it ended: 137 when it was alive
     */
    int kill() throws InterruptedException {
        signal();
        int code = process.waitFor();
        read.join();
        return code;
    }

    /** Kills it with SIGKILL, and waits for nothing. */
    void signal() {
        process.toHandle().destroyForcibly(); // the process's own method would throw away what was not read yet
    }

    /** Asks it to end, as an operator does: with SIGTERM. */
    void terminate() {
        process.destroy();
    }

    /** Waits until it has ended by itself; returns its exit code. */
    int awaitEnd() throws InterruptedException {
        return process.waitFor();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
