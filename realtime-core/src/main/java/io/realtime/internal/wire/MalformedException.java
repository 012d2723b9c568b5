package io.realtime.internal.wire;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import org.jspecify.annotations.Nullable;

/** A frame that is no envelope. Code {@code bad_message}. */
public final class MalformedException extends RealtimeException {
    private static final long serialVersionUID = 1L;

    private final @Nullable String ref;

    MalformedException(String message) {
        this(message, null);
    }

    private MalformedException(String message, @Nullable String ref) {
        super(ErrorCode.BAD_MESSAGE, message);
        this.ref = ref;
    }

    /** Returns this fault as one of the frame with this ref. */
    MalformedException about(@Nullable String itsRef) {
        return itsRef == null ? this : new MalformedException(getMessage(), itsRef);
    }

    /** Returns the frame's {@code ref} where it could be read, or null. */
    public @Nullable String ref() {
        return ref;
    }
}
