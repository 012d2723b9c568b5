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
 * @param retryAfterMs after how many milliseconds to retry; null if that is not known
 * @param closeCode the code of the close that follows, which a browser cannot always read; null if none follows
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
        // Half a surrogate pair becomes "?", because an error must be sent whatever its text is.
        if (message != null) {
            message = new String(message.getBytes(StandardCharsets.UTF_8), StandardCharsets.UTF_8);
        }
    }

    /**
     * Returns what the sender of a message gets if its handler refuses it; null if the handler has failed. Its own payload
     * is read by {@link Envelope#received}, so {@code bad_data} of another one, such as an answer that the handler waited
     * for, is no fault of the sender.
     */
    public static @Nullable ErrorData refusal(Throwable thrown) {
        Throwable failure = Steps.unwrap(thrown);
        boolean isOfAnother = failure instanceof PayloadException
                || (failure instanceof RemoteException remote && remote.code().equals(ErrorCode.BAD_DATA));
        return failure instanceof RealtimeException refused && !isOfAnother ? of(refused) : null;
    }

    /** Returns what a peer gets for a failure. */
    public static ErrorData of(RealtimeException failure) {
        return of(failure.code(), Steps.message(failure), failure.isRetryable());
    }

    /** Returns what a peer gets. A very long message is cut, because an error must fit in every frame. */
    public static ErrorData of(ErrorCode code, String message, boolean retryable) {
        String brief = message.length() > MAX_MESSAGE ? Names.abbreviate(message, MAX_MESSAGE) : message;
        return new ErrorData(code.value(), brief, retryable, null, null);
    }

    /** Returns the same error with its message on one line of at most so many characters; 0 for no message. */
    public ErrorData brief(int most) {
        String brief = most < 4 ? "" : Names.abbreviate(message, most);
        return new ErrorData(code, brief, retryable, retryAfterMs, closeCode);
    }

    /**
     * Returns the exception for the receiver of the frame. Its message has one line, because it may be logged. Accepts
     * an error with missing fields.
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
