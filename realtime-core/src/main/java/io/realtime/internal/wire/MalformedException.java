package io.realtime.internal.wire;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import org.jspecify.annotations.Nullable;

/** A frame that is not a valid envelope. Code {@code bad_message}. */
public final class MalformedException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    private final @Nullable String ref;
    private final long seq;

    MalformedException(String message) {
        this(message, null, 0);
    }

    private MalformedException(String message, @Nullable String ref, long seq) {
        super(ErrorCode.BAD_MESSAGE, message);
        this.ref = ref;
        this.seq = seq;
    }

    /** Returns this fault with the {@code ref} and {@code seq} of the frame, as far as they were read. */
    MalformedException about(Envelope frame) {
        return new MalformedException(getMessage(), frame.ref(), frame.seq());
    }

    /** Returns the frame's {@code ref}, or null if it could not be read. */
    public @Nullable String ref() {
        return ref;
    }

    /** Returns the frame's {@code seq}, or 0 if it could not be read. */
    public long seq() {
        return seq;
    }
}
