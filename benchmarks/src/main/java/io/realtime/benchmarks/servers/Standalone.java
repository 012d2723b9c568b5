package io.realtime.benchmarks.servers;

import java.io.IOException;
import java.io.OutputStream;

/** What every server's {@code main} does once it listens. */
final class Standalone {
    private Standalone() {}

    /** Says the port on the output, waits for the end of the input, and ends the process. */
    static void run(int port) throws IOException {
        System.out.println("PORT " + port);
        System.in.transferTo(OutputStream.nullOutputStream());
        Runtime.getRuntime().halt(0);
    }
}
