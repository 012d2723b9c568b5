package io.realtime.client;

import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/** Gives the token for the next attempt to connect. */
@FunctionalInterface
public interface TokenProvider {
    /**
     * Returns a token, now or later. Asked before every attempt, on the client's callback executor, so it must not
     * block. One that is not there within {@link RealtimeClient.Builder#tokenTimeout} is asked for again: where a user has to
     * log in first, return the same pending stage, or set a longer timeout.
     *
     * <p>Any failure is reported to {@link ClientListener#onError} and leads to another attempt after a while; a
     * {@link TokenRefusedException} closes the client.
     */
    CompletionStage<String> token();

    /**
     * A provider that asks a blocking source, on a daemon thread. A client has one call of it under way at a time: an attempt
     * to connect that finds a call of an earlier one waits for its token, and reports that it waits when
     * {@link RealtimeClient.Builder#tokenTimeout} is over. So a source needs a timeout of its own.
     */
    static TokenProvider blocking(Supplier<String> source) {
        return new BlockingTokens(source);
    }
}
