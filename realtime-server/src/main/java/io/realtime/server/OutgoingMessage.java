package io.realtime.server;

import io.realtime.Event;
import org.jspecify.annotations.Nullable;

/** A message that is about to be published, as an {@link Interceptor} sees it. Immutable. */
public interface OutgoingMessage {
    /** Returns the room's name on the wire: the application's, {@code @user}, {@code @session} or {@code @all}. */
    String room();

    /** Returns the id of the user whose inbox it is, for {@code @user} and {@code @session}; else null. */
    @Nullable
    String user();

    /** Returns the event. */
    Event<?> event();

    /** Returns the payload; null only for an {@code Event<Void>}. */
    @Nullable
    Object data();

    /** Returns the id of the user whom it is {@linkplain Room#from from}; null for the server. */
    @Nullable
    String from();

    /** Returns the trace context; null when no interceptor has set one. */
    @Nullable
    String trace();

    /**
     * Returns a message with this trace context, which its receivers get as {@link io.realtime.Message#trace}.
     *
     * @param trace a {@code traceparent} of W3C Trace Context; null for none
     * @throws IllegalArgumentException when it is not 1 to 128 of {@code A-Z a-z 0-9 _ . : / -}
     */
    OutgoingMessage withTrace(@Nullable String trace);

    /**
     * Returns a message with this payload.
     *
     * @throws IllegalArgumentException when it is not of the event's class
     */
    OutgoingMessage withData(Object data);
}
