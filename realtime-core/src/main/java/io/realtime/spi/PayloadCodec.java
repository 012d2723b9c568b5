package io.realtime.spi;

import java.io.IOException;
import java.io.Writer;
import java.lang.reflect.Type;
import org.jspecify.annotations.Nullable;

/**
 * A mapping of payloads between Java and JSON. Each server and each client has one. The two sides of a contract must
 * agree on the JSON, but may use different codecs. The codec is not used for bytes, {@code Void}, Gson's {@code
 * JsonElement} and the protocol's own frames.
 *
 * <p>The methods of a codec and its mappers are called by many threads at the same time.
 */
public interface PayloadCodec {
    /**
     * Returns the mapper of a type. Called when a contract of this type is first used: when a handler is registered, or
     * the first message is sent. The server or client keeps the result for its whole life.
     *
     * @param type a class or a generic type, as the contract names it
     * @throws IllegalArgumentException if values of this type cannot be sent; the message says what to use instead
     */
    Mapper mapper(Type type);

    /** A writer and reader of the values of one type. */
    interface Mapper {
        /**
         * Writes a value as one JSON value, nested at most 31 deep.
         *
         * @param value an instance of the type; never null
         * @param out receives the text; closing it has no effect
         * @throws IOException or an unchecked exception if the value cannot be written; the caller that sends gets a {@link
         * io.realtime.PayloadException}
         */
        void write(Object value, Writer out) throws IOException;

        /**
         * Reads a value.
         *
         * @param text holds one JSON value between {@code from} and {@code to}; it is well-formed, nests at most 35
         * deep, and is not {@code null}
         * @return the value, never null
         * @throws io.realtime.PayloadException if the JSON does not fit the type; the peer gets the message, which
         * begins with the place in the payload: {@code $.items[2].price: the number does not fit}
         * @throws IOException or another unchecked exception if the JSON does not fit the type; the peer gets no
         * details
         */
        @Nullable
        Object read(String text, int from, int to) throws IOException;
    }
}
