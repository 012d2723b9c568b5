package io.realtime.client.internal.connection;

import io.realtime.client.TokenProvider;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** A blocking source of tokens, of which one call at a time is in progress. Safe for use by many threads. */
public final class BlockingTokens implements TokenProvider {
    private final Supplier<String> source;

    /** Gets the result of the call in progress; null while there is none. */
    private final AtomicReference<@Nullable CompletableFuture<String>> latest = new AtomicReference<>();

    public BlockingTokens(Supplier<String> source) {
        this.source = source;
    }

    /** Returns a provider of the same source with its own calls: one for each client. */
    public BlockingTokens ofItsOwn() {
        return new BlockingTokens(source);
    }

    @Override
    public CompletionStage<String> token() {
        CompletableFuture<String> mine = new CompletableFuture<>();
        CompletableFuture<String> before = latest.getAndSet(mine);
        if (before == null) {
            start();
        } else {
            before.completeExceptionally(
                    new CancellationException("the token source has not returned, and a later attempt waits for it"));
        }
        return mine;
    }

    private void start() {
        Thread thread = new Thread(this::call, "realtime-client-token");
        thread.setDaemon(true);
        try {
            thread.start();
        } catch (Throwable noThread) {
            // No memory for a thread; the next attempt may have it.
            finish(waiting -> waiting.completeExceptionally(noThread));
        }
    }

    private void call() {
        String token;
        try {
            token = source.get();
        } catch (Throwable failure) {
            // The attempt must learn of any failure.
            finish(waiting -> waiting.completeExceptionally(failure));
            return;
        }
        finish(waiting -> waiting.complete(token));
    }

    private void finish(Consumer<CompletableFuture<String>> completion) {
        CompletableFuture<String> waiting = latest.getAndSet(null);
        if (waiting != null) {
            completion.accept(waiting);
        }
    }
}
