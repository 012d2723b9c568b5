package io.realtime.server.internal.session;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.server.Authenticator;
import io.realtime.server.Interceptor;
import io.realtime.server.JoinRule;
import java.util.List;
import java.util.Objects;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;

/**
 * The interceptors of a server, the first one outermost, each composed with what it is around when the server is built.
 * Without interceptors every method returns what it is given, or null. Immutable.
 */
public final class Middleware {
    private final List<Interceptor> interceptors;
    private final Interceptor.@Nullable Handling handling;
    private final Interceptor.@Nullable Publishing publishing;

    public Middleware(List<Interceptor> interceptors) {
        this.interceptors = List.copyOf(interceptors);
        boolean isEmpty = interceptors.isEmpty();
        this.handling = isEmpty
                ? null
                : compose(
                        message -> ReceivedMessage.of(message).handle(),
                        (one, next) -> message -> Objects.requireNonNull(one.handle(message, next), "the stage"));
        this.publishing = isEmpty
                ? null
                : compose(
                        message -> Publication.of(message).publish(),
                        (one, next) -> message -> Objects.requireNonNull(one.publish(message, next), "the future"));
    }

    private <T> T compose(T innermost, BiFunction<Interceptor, T, T> around) {
        T composed = innermost;
        for (int i = interceptors.size() - 1; i >= 0; i--) {
            composed = around.apply(interceptors.get(i), composed);
        }
        return composed;
    }

    /** Returns what authenticates a peer. */
    public Authenticator aroundLogins(Authenticator authenticator) {
        return compose(authenticator, (one, next) -> credentials -> one.authenticate(credentials, next));
    }

    /** Returns what is asked whether a session may join a room; null without interceptors and rule. */
    public JoinRule.@Nullable Async aroundJoins(JoinRule.@Nullable Async rule) {
        if (interceptors.isEmpty()) {
            return rule;
        }
        JoinRule.Async innermost = rule != null
                ? rule
                : (session, room) -> {
                    throw new RealtimeException(ErrorCode.FORBIDDEN, Rules.NO_RULE.message());
                };
        return compose(innermost, (one, next) -> (session, room) -> one.join(session, room, next));
    }

    /** Returns what handles a {@link ReceivedMessage}; null without interceptors. */
    public Interceptor.@Nullable Handling handling() {
        return handling;
    }

    /** Returns what publishes a {@link Publication}; null without interceptors. */
    Interceptor.@Nullable Publishing publishing() {
        return publishing;
    }
}
