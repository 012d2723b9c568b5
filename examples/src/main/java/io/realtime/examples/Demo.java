package io.realtime.examples;

/** One program in the examples' jar. */
interface Demo {
    /** Returns the word that selects it. */
    String name();

    /** Returns what it shows, in one line. */
    String summary();

    /** Returns its options. */
    Options.Spec options();

    /**
     * Runs until there is nothing more to do or the thread is interrupted. Leaves nothing running.
     *
     * @return the process's exit code
     * @throws UsageException if a value is invalid
     * @throws io.realtime.RealtimeException if it cannot begin, for example because a port is taken
     * @throws InterruptedException if it was asked to end
     */
    int run(Options options, Terminal terminal) throws InterruptedException;
}
