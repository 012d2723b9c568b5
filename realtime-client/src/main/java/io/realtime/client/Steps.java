package io.realtime.client;

/** The steps of an ending: each runs whatever the others do, since futures, threads and files wait for the last. */
final class Steps {
    private Steps() {}

    /** Runs each; what one throws is logged. */
    static void run(Runnable... steps) {
        for (Runnable step : steps) {
            try {
                step.run();
            } catch (Throwable failure) { // a scheduler's, a transport's or a disk's: anything may come out of it
                SerialExecutor.log("a step of an ending failed; the others go on", failure);
            }
        }
    }
}
