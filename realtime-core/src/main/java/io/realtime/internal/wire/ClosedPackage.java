package io.realtime.internal.wire;

import io.realtime.internal.Steps;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * A check whether a payload could not be accessed because its package is not open; it says what module-info lacks.
 */
final class ClosedPackage {
    /**
     * The JDK says: … accessible: module a.b does not "opens a.b.c" to module d.e; for public members it says
     * "exports". A library may have added a sentence.
     */
    private static final Pattern CLOSED = Pattern.compile(
            "module (\\S+) does not \"(?:opens|exports) (\\S+)\" to (unnamed module|module ([^\\s;,]+))");

    private ClosedPackage() {}

    /** Returns the missing line and the module that needs it; null if the failure has another cause. */
    static @Nullable String remedy(Throwable failure) {
        for (Throwable cause = failure; cause != null; cause = cause.getCause()) {
            Matcher closed = CLOSED.matcher(Steps.message(cause));
            if (closed.find()) {
                String reader = closed.group(4);
                return "the module-info of " + closed.group(1) + " lacks 'opens " + closed.group(2)
                        + (reader == null ? "" : " to " + reader) + ";'";
            }
        }
        return null;
    }
}
