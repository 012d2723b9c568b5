package io.realtime.client;

import java.util.concurrent.CompletableFuture;
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

    /** A provider that asks a blocking source, each time on a daemon thread of its own. */
    static TokenProvider blocking(Supplier<String> source) {
        return () -> {
            CompletableFuture<String> token = new CompletableFuture<>();
            Thread thread = new Thread(
                    () -> {
                        try {
                            token.complete(source.get());
                        } catch (Throwable failure) { // whatever it is, the attempt must learn of it
                            token.completeExceptionally(failure);
                        }
                    },
                    "realtime-client-token");
            thread.setDaemon(true);
            thread.start();
            return token;
        };
    }
}
