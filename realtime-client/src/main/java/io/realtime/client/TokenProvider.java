package io.realtime.client;

import io.realtime.client.internal.connection.BlockingTokens;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;

/** A source of the token for the next attempt to connect. */
@FunctionalInterface
public interface TokenProvider {
    /**
     * Returns a token, now or later. Called before every attempt, on the client's callback executor, so it must not
     * block. A token that does not come within {@link RealtimeClient.Builder#tokenTimeout} is asked for again. If a
     * user has to log in first, return the same pending stage, or set a longer timeout.
     *
     * <p>Any failure is reported to {@link ClientListener#onError} and leads to another attempt after a while. A {@link
     * TokenRefusedException} closes the client.
     */
    CompletionStage<String> token();

    /**
     * Returns a provider that calls a blocking source on a daemon thread. A client makes one call at a time. An attempt
     * to connect that finds the call of an earlier attempt still running waits for its token, and reports the wait
     * after {@link RealtimeClient.Builder#tokenTimeout}. So a source needs a timeout of its own.
     */
    static TokenProvider blocking(Supplier<String> source) {
        return new BlockingTokens(source);
    }
}
