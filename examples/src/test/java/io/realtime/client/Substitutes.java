package io.realtime.client;

import java.util.concurrent.Executor;

/** Lets the simulation run, in its time, what a client runs on a new thread when its application's executor refuses. */
public final class Substitutes {
    private Substitutes() {}

    /** Returns the builder of a client that runs on {@code substitute} what its executors refuse. */
    public static RealtimeClient.Builder of(RealtimeClient.Builder builder, Executor substitute) {
        return builder.substitute(substitute);
    }
}
