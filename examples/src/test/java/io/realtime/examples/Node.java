package io.realtime.examples;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs what is in {@code src/test/js} with Node.js, which the build does not need: without it such a test is skipped. */
final class Node {
    /** The first major version with a {@code WebSocket} of its own; 20 has it behind {@code --experimental-websocket}. */
    static final int WITH_WEBSOCKET = 22;

    private Node() {}

    /** Skips the test unless there is this major version or a newer one; returns which. */
    static int require(int oldest) throws IOException {
        int version = version();
        assumeTrue(version >= oldest, "there is no Node.js " + oldest + " or newer");
        return version;
    }

    /** Starts it, if there is this major version or a newer one; its errors come with its output. */
    static Process start(int oldest, String... arguments) throws IOException {
        require(oldest);
        return run(arguments);
    }

    /** Returns all that a process says, when it has ended. */
    static String output(Process run) throws IOException {
        return new String(run.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    /** Returns the major version, 0 without Node.js. */
    static int version() throws IOException {
        Process run;
        try {
            run = run("--version");
        } catch (IOException absent) {
            return 0;
        }
        return Integer.parseInt(output(run).strip().replaceFirst("^v(\\d+)\\..*", "$1"));
    }

    private static Process run(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of("node"));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command)
                .directory(Path.of("src", "test", "js").toFile())
                .redirectErrorStream(true)
                .start();
    }
}
