package io.realtime.examples;

/** One thing that the examples' jar can do. */
interface Demo {
    /** Returns the word that picks it. */
    String name();

    /** Returns what it shows, in one line. */
    String summary();

    /** Returns what it takes. */
    Options.Spec options();

    /**
     * Runs until there is nothing more to do or the thread is interrupted, and leaves nothing running.
     *
     * @return the process's exit code
     * @throws UsageException when a value does not fit
     * @throws io.realtime.RealtimeException when it cannot begin: a port is taken, say
     * @throws InterruptedException when it was asked to end
     */
    int run(Options options, Terminal terminal) throws InterruptedException;
}
