package io.realtime.internal;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Collection;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Calls of others' code, each of which runs whatever the others do: futures, peers, threads, ports and files wait for the
 * last. What one throws is logged.
 *
 * <p>An exception of an application is code of the application, too: {@code getMessage}, {@code toString} and
 * {@code printStackTrace} may throw, as with a message of two objects that name each other. So it is logged and read here
 * only.
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
                log(LOG, "a step failed; the others go on", failure);
            }
        }
    }

    /** Does to each of these what is to be done to all. */
    public static <T> void each(Collection<? extends T> all, Consumer<T> step) {
        for (T one : all) {
            try {
                step.accept(one);
            } catch (Throwable failure) { // as above
                log(LOG, "a step failed; the others go on", failure);
            }
        }
    }

    /**
     * Tells what becomes of a stage: its value, or what made it fail, without the wrapper that a dependent stage puts around
     * it. Calls back once, also for a stage that throws when it is asked, before or after it has called.
     */
    public static <T> void whenComplete(
            CompletionStage<T> stage, BiConsumer<? super @Nullable T, ? super @Nullable Throwable> then) {
        Outcome<T> outcome = new Outcome<>(then);
        try {
            stage.whenComplete(outcome);
        } catch (Throwable failure) { // the JDK's throws when it cannot wrap a failure, which asks for its message
            outcome.accept(null, failure);
        }
    }

    /** Returns what made a stage fail, without the wrapper that a dependent stage puts around it. */
    public static Throwable unwrap(Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : null;
        return cause == null ? failure : cause;
    }

    /** Logs at ERROR what others' code has thrown. Never throws. */
    public static void log(Logger log, String what, Throwable failure) {
        log(log::error, what, failure);
    }

    /** Logs at WARN what others' code has thrown. Never throws. */
    public static void warn(Logger log, String what, Throwable failure) {
        log(log::warn, what, failure);
    }

    private static void log(BiConsumer<String, @Nullable Throwable> log, String what, Throwable failure) {
        try {
            log.accept(what, failure);
        } catch (Throwable unspeakable) {
            try {
                log.accept(what + ": " + unreadable(failure), null);
            } catch (Throwable noLog) { // nobody else can be told
                return;
            }
        }
    }

    /** Returns the message of what others' code has thrown, or the name of its class. Never throws. */
    public static String message(Throwable failure) {
        try {
            String message = failure.getMessage();
            return message == null ? failure.getClass().getSimpleName() : message;
        } catch (Throwable unspeakable) {
            return unreadable(failure);
        }
    }

    /** Returns what others' code has thrown as it prints itself, or the name of its class. Never throws. */
    public static String trace(Throwable failure) {
        StringWriter trace = new StringWriter();
        try {
            failure.printStackTrace(new PrintWriter(trace));
            return trace.toString();
        } catch (Throwable unspeakable) {
            return unreadable(failure);
        }
    }

    private static String unreadable(Throwable failure) {
        return failure.getClass().getName() + ", whose message cannot be read";
    }

    /** What is to happen with a stage's outcome, once. */
    private static final class Outcome<T> extends AtomicBoolean
            implements BiConsumer<@Nullable T, @Nullable Throwable> {
        private static final long serialVersionUID = 1L;

        private final transient BiConsumer<? super @Nullable T, ? super @Nullable Throwable> then;

        Outcome(BiConsumer<? super @Nullable T, ? super @Nullable Throwable> then) {
            this.then = then;
        }

        @Override
        public void accept(@Nullable T value, @Nullable Throwable failure) {
            if (compareAndSet(false, true)) {
                try {
                    then.accept(value, failure == null ? null : unwrap(failure));
                } catch (Throwable thrown) { // the stage would keep it to itself
                    log(LOG, "what follows a stage failed", thrown);
                }
            }
        }
    }
}
