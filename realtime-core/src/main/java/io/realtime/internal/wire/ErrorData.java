package io.realtime.internal.wire;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.internal.Steps;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * The payload of {@code $error}.
 *
 * @param code the kind of failure
 * @param message for people
 * @param retryable whether the same attempt may succeed later
 * @param retryAfterMs after how long, when that is known
 * @param closeCode the code of the close that follows, when one does; a browser cannot always see it
 */
public record ErrorData(
        String code,
        String message,
        boolean retryable,
        @Nullable Long retryAfterMs,
        @Nullable Integer closeCode) {

    private static final int MAX_MESSAGE = 1_000;

    @SuppressWarnings("ConstantValue") // Gson leaves a missing component null, whatever its annotation
    public ErrorData {
        if (message != null) { // half a surrogate pair becomes "?": an error must be told whatever its text
            message = new String(message.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
        }
    }

    /** Returns whether a peer is told of a handler's failure in its own words; else it is the handler's fault. */
    public static boolean isForPeer(Throwable failure) {
        return failure instanceof RealtimeException
                && !(failure instanceof PayloadException unfit && unfit.isOutgoing());
    }

    /** What a peer is told of a failure. */
    public static ErrorData of(RealtimeException failure) {
        return of(failure.code(), Steps.message(failure), failure.isRetryable());
    }

    /** What a peer is told; of a message that is very long, its beginning: an error must fit wherever it is due. */
    public static ErrorData of(ErrorCode code, String message, boolean retryable) {
        String brief = message.length() > MAX_MESSAGE ? Names.abbreviate(message, MAX_MESSAGE) : message;
        return new ErrorData(code.value(), brief, retryable, null, null);
    }

    /** Returns the same with at most so many characters of its message, which is on one line then; 0 for none. */
    public ErrorData brief(int most) {
        String brief = most < 4 ? "" : Names.abbreviate(message, most);
        return new ErrorData(code, brief, retryable, retryAfterMs, closeCode);
    }

    /**
     * Returns what the receiver of the frame throws or reports, with a message of one line: it may end in a log. Tolerates
     * what a careless peer left out.
     */
    @SuppressWarnings("ConstantValue") // Gson leaves a missing component null, whatever its annotation
    public RemoteException exception() {
        String word = code;
        ErrorCode known;
        try {
            known = ErrorCode.of(word);
        } catch (RuntimeException unfit) {
            known = ErrorCode.INTERNAL;
        }
        return new RemoteException(known, Names.abbreviate(String.valueOf(message), MAX_MESSAGE), retryable);
    }
}
