package io.realtime.internal.wire;

import com.google.gson.JsonIOException;
import com.google.gson.JsonSyntaxException;
import io.realtime.PayloadException;
import io.realtime.internal.Steps;
import java.io.IOException;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** What is said of a payload that could not be written or read. */
public final class PayloadFaults {
    // What a peer sent comes back to it in messages, which are kept and logged: as much of it as people can use.
    private static final int MAX_PATH = 128;
    private static final int MAX_REJECTION = 256;

    /** Gson's messages say "Expected a string but was NUMBER at line 1 column 9 path $.x" and then a link. */
    private static final Pattern WITHOUT_LOCATION =
            Pattern.compile("^(.*?)(?:;? at (?:line|path) .*)?$", Pattern.DOTALL);

    /** And "Lossy conversion from 300 to byte; at path $.x[0]". */
    private static final Pattern LOCATED = Pattern.compile(".*; at path (\\$.*)", Pattern.DOTALL);

    private PayloadFaults() {}

    /** A value that could not be written, for the sender. */
    static PayloadException written(Throwable unfit) {
        return new PayloadException("data is no JSON: " + describe(unfit), unfit);
    }

    /**
     * A value that could not be read, for the peer that sent it.
     *
     * @param path where the reader stood
     */
    static PayloadException read(String path, Throwable unfit) {
        PayloadException rejection = rejection(unfit);
        if (rejection != null) {
            return rejection;
        }
        // An adapter that took the value before it refused it has moved the reader on; Gson's message has not.
        Matcher located = LOCATED.matcher(Steps.message(unfit));
        String place = PayloadReader.path(located.matches() ? located.group(1) : path);
        return at(place, describeToPeer(unfit), unfit);
    }

    /**
     * A value that does not fit, for the peer that sent it.
     *
     * @param path its place in the payload: {@code $.items[2].price}
     * @param fault what the peer is told
     */
    public static PayloadException at(String path, String fault, Throwable unfit) {
        return new PayloadException(Names.abbreviate(path, MAX_PATH) + ": " + fault, unfit);
    }

    /** A value that was read as null. */
    static PayloadException none() {
        return new PayloadException("$: the value does not fit");
    }

    /** A value that stands in a payload and was read by itself: its places begin with its own. */
    static PayloadException within(String at, PayloadException unfit) {
        String message = Steps.message(unfit);
        boolean isPlaced = message.startsWith("$.") || message.startsWith("$[") || message.startsWith("$:");
        return isPlaced ? new PayloadException(PayloadReader.path(at) + message.substring(1), unfit) : unfit;
    }

    /**
     * What the payload's own constructor said against the values, if it did: its words, for the sender.
     *
     * @param unfit caused by what the constructor threw
     */
    public static @Nullable PayloadException rejection(Throwable unfit) {
        if (unfit instanceof JsonSyntaxException) { // an adapter's refusal (of a UUID, say): the place says more
            return null;
        }
        for (Throwable cause = unfit.getCause(); cause != null; cause = cause.getCause()) {
            boolean isRequireNonNull = cause instanceof NullPointerException
                    && cause.getStackTrace().length > 0
                    && cause.getStackTrace()[0].getClassName().equals("java.util.Objects");
            boolean isRefusal = cause.getClass() == IllegalArgumentException.class;
            if ((isRefusal || isRequireNonNull) && cause.getMessage() != null) {
                return new PayloadException(Names.abbreviate(cause.getMessage(), MAX_REJECTION), unfit);
            }
        }
        return null;
    }

    /** Like {@link #describe}, without the names and values of Java code that are the receiver's own business. */
    private static String describeToPeer(Throwable unfit) {
        boolean isOfJson = unfit instanceof JsonSyntaxException
                || unfit instanceof IllegalStateException
                || unfit instanceof NumberFormatException
                || unfit instanceof IOException;
        return isOfJson ? describe(unfit) : "the value does not fit";
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
