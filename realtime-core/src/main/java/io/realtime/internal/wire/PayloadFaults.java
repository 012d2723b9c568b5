package io.realtime.internal.wire;

import com.google.gson.JsonIOException;
import com.google.gson.JsonParseException;
import com.google.gson.JsonSyntaxException;
import io.realtime.PayloadException;
import io.realtime.internal.Steps;
import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The failures of payloads that could not be written or read. */
public final class PayloadFaults {
    // The messages repeat what a peer sent, and are kept and logged, so their length is bounded.
    private static final int MAX_PATH = 128;
    private static final int MAX_REJECTION = 256;

    /** Gson's messages say "Expected a string but was NUMBER at line 1 column 9 path $.x" and then a link. */
    private static final Pattern WITHOUT_LOCATION =
            Pattern.compile("^(.*?)(?:;? at (?:line|path) .*)?$", Pattern.DOTALL);

    /** And "Lossy conversion from 300 to byte; at path $.x[0]". */
    private static final Pattern LOCATED = Pattern.compile(".*; at path (\\$.*)", Pattern.DOTALL);

    private PayloadFaults() {}

    /** Returns the failure of a value that could not be written, for the sender. */
    static PayloadException written(Throwable unfit) {
        return new PayloadException("data is not JSON: " + describe(unfit), unfit);
    }

    /**
     * Returns the failure of a value that could not be read, for the peer that sent it.
     *
     * @param path where the reader was
     */
    static PayloadException read(String path, Throwable unfit) {
        PayloadException rejection = rejection(unfit);
        if (rejection != null) {
            return rejection;
        }
        // If an adapter refused a value after it had read it, the reader has moved on; Gson's message has the place.
        Matcher located = LOCATED.matcher(Steps.message(unfit));
        String place = PayloadReader.path(located.matches() ? located.group(1) : path);
        return at(place, describeToPeer(unfit), unfit);
    }

    /**
     * Returns the failure of a value that does not fit, for the peer that sent it.
     *
     * @param path its place in the payload: {@code $.items[2].price}
     * @param fault what the peer is told
     */
    public static PayloadException at(String path, String fault, Throwable unfit) {
        return new PayloadException(Names.abbreviate(path, MAX_PATH) + ": " + fault, unfit);
    }

    /** Returns the failure of a value that was read as null. */
    static PayloadException none() {
        return new PayloadException("$: the value does not fit");
    }

    /** Returns the failure of a part that was read from a separate text; its path is prefixed with the part's place. */
    static PayloadException within(String at, PayloadException unfit) {
        String message = Steps.message(unfit);
        boolean isPlaced = message.startsWith("$.") || message.startsWith("$[") || message.startsWith("$:");
        return isPlaced ? new PayloadException(PayloadReader.path(at) + message.substring(1), unfit) : unfit;
    }

    /**
     * Returns the failure for the sender with the words of the payload's own constructor if that refused the values; else
     * null.
     *
     * @param unfit caused by what the constructor threw
     */
    public static @Nullable PayloadException rejection(Throwable unfit) {
        // For an adapter's refusal, of a UUID for example, the place is more useful.
        if (unfit instanceof JsonSyntaxException) {
            return null;
        }
        for (Throwable cause = unfit.getCause(); cause != null; cause = cause.getCause()) {
            boolean isRequireNonNull = cause instanceof NullPointerException
                    && cause.getStackTrace().length > 0
                    && cause.getStackTrace()[0].getClassName().equals("java.util.Objects");
            // The message of Enum.valueOf names a class.
            boolean isRefusal = cause.getClass() == IllegalArgumentException.class
                    && !Steps.message(cause).startsWith("No enum constant");
            if ((isRefusal || isRequireNonNull) && cause.getMessage() != null) {
                return new PayloadException(Names.abbreviate(cause.getMessage(), MAX_REJECTION), unfit);
            }
        }
        return null;
    }

    /**
     * Describes a failure like {@link #describe}, without names and values of Java code, which are internal to the
     * receiver.
     */
    private static String describeToPeer(Throwable unfit) {
        Throwable cause = unfit instanceof JsonParseException && unfit.getCause() != null ? unfit.getCause() : unfit;
        StackTraceElement[] trace = cause.getStackTrace();
        String from = trace.length == 0 ? "" : trace[0].getClassName();
        boolean isOfReader = from.startsWith("com.google.gson.")
                || from.startsWith("io.realtime.gson.")
                || from.startsWith("io.realtime.internal.");
        boolean isOfJson = isOfReader
                && (cause instanceof JsonSyntaxException
                        || cause instanceof IllegalStateException
                        || cause instanceof IOException);
        return isOfJson || cause instanceof NumberFormatException ? describe(unfit) : "the value does not fit";
    }

    private static String describe(Throwable unfit) {
        Throwable cause = unfit;
        if ((unfit instanceof JsonSyntaxException || unfit instanceof JsonIOException) && unfit.getCause() != null) {
            cause = unfit.getCause();
        }
        if (cause instanceof NumberFormatException) {
            return "the number does not fit";
        }
        String message = Steps.message(cause);
        Matcher matcher = WITHOUT_LOCATION.matcher(message);
        return Names.abbreviate(matcher.matches() ? matcher.group(1) : message);
    }
}
