package io.realtime.server;

import io.realtime.RealtimeException;
import org.jspecify.annotations.Nullable;

/** A client's message as an {@link Interceptor} sees it, before its payload is read. Immutable. */
public interface IncomingMessage {
    /** Returns the session that sent it. */
    Session session();

    /** Returns the name of the event, request or stream. */
    String type();

    /** Returns the room that it names, or null. */
    @Nullable
    String room();

    /** Returns the client's name for the answer; null for an event that asks for none. */
    @Nullable
    String ref();

    /** Returns whether it may be a repeat; see {@link io.realtime.Message#isRedelivered}. */
    boolean isRedelivered();

    /** Returns the trace context; see {@link io.realtime.Message#trace}. */
    @Nullable
    String trace();

    /** Returns whether the payload is bytes, and not JSON. */
    boolean isBinary();

    /**
     * Returns the payload as the client wrote it: one well-formed JSON value; {@code null} when there is none. Copies
     * the text, and parses nothing.
     *
     * @throws IllegalStateException when the payload is bytes
     */
    String json();

    /**
     * Reads the payload by the server's codec. Each call reads it again.
     *
     * @throws RealtimeException with {@code bad_data} when the payload does not fit the type
     * @throws IllegalArgumentException when payloads cannot have this type
     */
    <T> T data(Class<T> type);

    /**
     * Returns a message with this payload, written by the server's codec as its class. A {@code byte[]} or {@code
     * ByteBuffer} makes the message binary.
     *
     * @throws io.realtime.PayloadException when the value cannot be written
     * @throws IllegalArgumentException when payloads cannot have this class
     */
    IncomingMessage withData(Object data);

    /**
     * Returns a message with this payload.
     *
     * @param json one JSON value (RFC 8259), nested at most 31 deep
     * @throws IllegalArgumentException when it is not
     */
    IncomingMessage withJson(String json);
}
