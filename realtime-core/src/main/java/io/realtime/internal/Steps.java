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
 * Calls of others' code: each call is made even if another one throws. Futures, peers, threads, ports and files may
 * depend on the last call. What a call throws is logged.
 *
 * <p>An exception class of an application is also code of the application. Its {@code getMessage}, {@code toString} and
 * {@code printStackTrace} may throw, for example when two objects in the message refer to each other. So exceptions are
 * logged and read only in this class.
 */
public final class Steps {
    private static final Logger LOG = LoggerFactory.getLogger(Steps.class);

    private Steps() {}

    /** Runs each step, even if an earlier one throws. */
    public static void run(Runnable... steps) {
        for (Runnable step : steps) {
            try {
                step.run();
            } catch (Throwable failure) {
                // From a scheduler, a transport or a disk anything may be thrown.
                log(LOG, "a step failed; the others go on", failure);
            }
        }
    }

    /** Applies a step to each element, even if it throws for another. */
    public static <T> void each(Collection<? extends T> all, Consumer<T> step) {
        for (T one : all) {
            try {
                step.accept(one);
            } catch (Throwable failure) {
                log(LOG, "a step failed; the others go on", failure);
            }
        }
    }

    /**
     * Reports the outcome of a stage: its value, or its failure without the wrapper that a dependent stage adds. Calls
     * back exactly once, even if the stage throws when it is called, before or after it has reported.
     */
    public static <T> void whenComplete(
            CompletionStage<T> stage, BiConsumer<? super @Nullable T, ? super @Nullable Throwable> then) {
        Outcome<T> outcome = new Outcome<>(then);
        try {
            stage.whenComplete(outcome);
        } catch (Throwable failure) {
            // The JDK's stage throws if it cannot wrap a failure, because it reads the failure's message.
            outcome.accept(null, failure);
        }
    }

    /** Returns the failure of a stage without the wrapper that a dependent stage adds. */
    public static Throwable unwrap(Throwable failure) {
        Throwable cause = failure instanceof CompletionException ? failure.getCause() : null;
        return cause == null ? failure : cause;
    }

    /** Logs at ERROR a failure of others' code. Never throws. */
    public static void log(Logger log, String what, Throwable failure) {
        log(log::error, what, failure);
    }

    /** Logs at WARN a failure of others' code. Never throws. */
    public static void warn(Logger log, String what, Throwable failure) {
        log(log::warn, what, failure);
    }

    private static void log(BiConsumer<String, @Nullable Throwable> log, String what, Throwable failure) {
        try {
            log.accept(what, failure);
        } catch (Throwable unspeakable) {
            try {
                log.accept(what + ": " + unreadable(failure), null);
            } catch (Throwable noLog) { // no other place to report it
                return;
            }
        }
    }

    /**
     * Returns the message of a failure of others' code, or the name of its class if the message throws. Never throws.
     */
    public static String message(Throwable failure) {
        try {
            String message = failure.getMessage();
            return message == null ? failure.getClass().getSimpleName() : message;
        } catch (Throwable unspeakable) {
            return unreadable(failure);
        }
    }

    /**
     * Returns the stack trace of a failure of others' code, or the name of its class if printing throws. Never throws.
     */
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

    /** A callback for the first outcome of a stage; it ignores others. */
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
                } catch (Throwable thrown) {
                    // The stage would discard it.
                    log(LOG, "what follows a stage failed", thrown);
                }
            }
        }
    }
}
