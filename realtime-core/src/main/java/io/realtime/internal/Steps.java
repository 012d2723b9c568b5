package io.realtime.internal;

import java.util.Collection;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The steps of an ending: each runs whatever the others do, since futures, peers, threads, ports and files wait for the
 * last. What one throws is logged.
 */
public final class Steps {
    private static final Logger LOG = LoggerFactory.getLogger(Steps.class);

    private Steps() {}

    /** Runs each. */
    public static void run(Runnable... steps) {
        for (Runnable step : steps) {
            try {
                step.run();
            } catch (Throwable failure) { // a scheduler's, a transport's or a disk's: anything may come out of it
                log(LOG, "a step of an ending failed; the others go on", failure);
            }
        }
    }

    /** Does to each of these what is to be done to all. */
    public static <T> void each(Collection<T> all, Consumer<T> step) {
        for (T one : all) {
            run(() -> step.accept(one));
        }
    }

    /** Logs what others' code has thrown, which may throw again when it is asked for its message. */
    public static void log(Logger log, String what, Throwable failure) {
        try {
            log.error(what, failure);
        } catch (Throwable unspeakable) {
            try {
                log.error(
                        "{}: a {} that cannot be logged",
                        what,
                        failure.getClass().getName());
            } catch (Throwable noLog) { // nobody else can be told
                return;
            }
        }
    }
}
