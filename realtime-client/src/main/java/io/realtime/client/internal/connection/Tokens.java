package io.realtime.client.internal.connection;

import io.realtime.CloseReason;
import io.realtime.client.TokenProvider;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.internal.Steps;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The tokens of the attempts to connect: asks the application's provider, and remembers which token the server has
 * refused. Owned by the scheduler's thread, except the calls of the provider, which are callbacks.
 */
final class Tokens {
    private final @Nullable TokenProvider provider;
    private final CallbackDispatcher callbacks;
    private final EngineThread thread;
    private @Nullable String current;
    private @Nullable String refused;
    // Why it was refused.
    private @Nullable CloseReason refusal;
    private boolean isReplaced;

    Tokens(@Nullable TokenProvider provider, CallbackDispatcher callbacks, EngineThread thread) {
        this.provider = provider;
        this.callbacks = callbacks;
        this.thread = thread;
    }

    /** Returns true if the client connects with tokens. */
    boolean hasProvider() {
        return provider != null;
    }

    /** Asks for the token of an attempt, unless the attempt is over by then. The answer comes on the scheduler's thread. */
    void ask(ServerConnection attempt, BiConsumer<@Nullable String, @Nullable Throwable> answer) {
        callbacks.execute(() -> {
            if (provider == null || attempt.isOver()) {
                // The task waited too long here, and another attempt asks.
                return;
            }
            try {
                Steps.whenComplete(
                        provider.token(), (token, failure) -> thread.post(() -> answer.accept(token, failure)));
            } catch (Throwable failure) {
                // The application's code may throw anything.
                thread.post(() -> answer.accept(null, failure));
            }
        });
    }

    /** Sets the token of the present attempt; null for none. */
    void use(@Nullable String token) {
        current = token;
    }

    /** Returns the token of the present attempt, or null. */
    @Nullable
    String current() {
        return current;
    }

    /** Notes that the server has refused the present token. */
    void refused(CloseReason reason) {
        refused = current;
        refusal = reason;
    }

    boolean isRefused(String token) {
        return token.equals(refused);
    }

    /** Returns the reason with which the client stops when it has only a token that was refused. */
    CloseReason noOther() {
        String why = refusal == null || refusal.text().isEmpty() ? "" : ": " + refusal.text();
        return new CloseReason(CloseReason.UNAUTHORIZED, "the token was refused and there is no other" + why);
    }

    /** Returns true the first time since {@link #forget}: then another token is asked for without a wait. */
    boolean replace() {
        boolean isFirst = !isReplaced;
        isReplaced = true;
        return isFirst;
    }

    /** Forgets which token was refused: a connection is healthy, or another series of attempts begins. */
    void forget() {
        isReplaced = false;
        refused = null;
    }
}
