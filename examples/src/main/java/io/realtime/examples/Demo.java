package io.realtime.examples;

import java.util.List;

/** One runnable demo. */
interface Demo {
    /** What it is called on the command line, with its options. */
    String usage();

    /** What it shows, in a line. */
    String summary();

    /**
     * Runs it until its end, or until the thread is interrupted.
     *
     * @throws UsageException when the command line is wrong
     */
    void run(List<String> line, Terminal terminal) throws InterruptedException;
}
