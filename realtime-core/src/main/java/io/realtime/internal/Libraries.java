package io.realtime.internal;

import java.util.function.Supplier;

/** A clear message for a missing or too old library, instead of a {@code NoClassDefFoundError}. */
public final class Libraries {
    private Libraries() {}

    /**
     * Calls a supplier that uses a library's classes.
     *
     * @param user what needs the library
     * @param library its coordinates, and the versions that fit
     * @throws IllegalStateException naming both if the library is missing, or its version does not fit
     */
    public static <T> T use(String user, String library, Supplier<T> supplier) {
        try {
            return supplier.get();
        } catch (LinkageError unfit) {
            throw unfit(user, library, unfit);
        }
    }

    /** Returns the exception that {@link #use} throws. */
    public static IllegalStateException unfit(String user, String library, LinkageError cause) {
        return new IllegalStateException(
                user + " needs " + library + ", which is missing or of another version: " + cause, cause);
    }
}
