package io.realtime.benchmarks.servers;

import java.io.IOException;
import java.io.OutputStream;

/** The part that every server's {@code main} shares after it listens. */
final class Standalone {
    private Standalone() {}

    /** Prints the port, waits for the end of the input, and ends the process. */
    static void run(int port) throws IOException {
        System.out.println("PORT " + port);
        System.in.transferTo(OutputStream.nullOutputStream());
        Runtime.getRuntime().halt(0);
    }
}
