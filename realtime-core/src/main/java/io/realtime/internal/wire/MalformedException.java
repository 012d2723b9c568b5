package io.realtime.internal.wire;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import org.jspecify.annotations.Nullable;

/** A frame that is no envelope. Code {@code bad_message}. */
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

    /** Returns this fault as one of the frame that begins with these fields. */
    MalformedException about(Envelope frame) {
        return new MalformedException(getMessage(), frame.ref(), frame.seq());
    }

    /** Returns the frame's {@code ref} where it could be read, or null. */
    public @Nullable String ref() {
        return ref;
    }

    /** Returns the frame's {@code seq} where it could be read, or 0. */
    public long seq() {
        return seq;
    }
}
