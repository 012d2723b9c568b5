package io.realtime.examples;

import static org.awaitility.Awaitility.await;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PipedInputStream;
import java.io.PipedOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A run of the examples in this process, with streams in place of a terminal. Closing it is Ctrl-C. */
final class Run implements AutoCloseable {
    private static final Duration PATIENCE = Duration.ofSeconds(15);

    private final ByteArrayOutputStream out = new ByteArrayOutputStream();
    private final ByteArrayOutputStream err = new ByteArrayOutputStream();
    private final PipedOutputStream in = new PipedOutputStream();
    private final Thread thread;
    private volatile int code = -1;

    Run(String... args) {
        this(Map.of(), args);
    }

    /** A run with these variables in its environment, and no others. */
    Run(Map<String, String> environment, String... args) {
        BufferedReader typed;
        try {
            typed = new BufferedReader(new InputStreamReader(new PipedInputStream(in), StandardCharsets.UTF_8));
        } catch (IOException impossible) {
            throw new AssertionError(impossible);
        }
        Main main = new Main(new Terminal(typed, print(out), print(err), environment::get));
        thread = new Thread(() -> code = main.run(args), "run");
        thread.start();
    }

    private static PrintStream print(ByteArrayOutputStream to) {
        return new PrintStream(to, true, StandardCharsets.UTF_8);
    }

    /** Types a line. */
    void type(String line) throws IOException {
        in.write((line + "\n").getBytes(StandardCharsets.UTF_8));
        in.flush();
    }

    /** Ends the input. */
    void endInput() throws IOException {
        in.close();
    }

    /** Waits for a line that matches and returns its first group. */
    String shown(String regex) {
        Pattern pattern = Pattern.compile("^" + regex + "$", Pattern.MULTILINE);
        return await("a line " + regex).atMost(PATIENCE).until(() -> find(pattern), found -> !found.isEmpty());
    }

    private String find(Pattern pattern) {
        Matcher matcher = pattern.matcher(out());
        return !matcher.find() ? "" : matcher.groupCount() > 0 ? matcher.group(1) : matcher.group();
    }

    String out() {
        return out.toString(StandardCharsets.UTF_8);
    }

    String err() {
        return err.toString(StandardCharsets.UTF_8);
    }

    /** Waits for the end and returns the exit code. */
    int code() throws InterruptedException {
        thread.join(PATIENCE.toMillis());
        return code;
    }

    @Override
    public void close() {
        thread.interrupt();
        await("the end of the run").atMost(PATIENCE).until(() -> !thread.isAlive());
    }
}
