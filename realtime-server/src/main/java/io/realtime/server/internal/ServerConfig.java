package io.realtime.server.internal;

import io.realtime.Heartbeat;
import io.realtime.server.Authenticator;
import io.realtime.server.Interceptor;
import io.realtime.server.JoinRule;
import io.realtime.server.Limits;
import io.realtime.server.PresenceRule;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.server.RoomListener;
import io.realtime.server.SendRule;
import io.realtime.server.SessionListener;
import io.realtime.server.UnhandledMessageHandler;
import io.realtime.server.internal.connection.OriginRule;
import io.realtime.server.internal.dispatch.Dispatcher;
import io.realtime.spi.PayloadCodec;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.Tls;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The configuration of a server. {@link RealtimeServer.Builder#build} copies it from the builder, so later changes of
 * the builder do not affect a server. Immutable, except for the objects that it refers to.
 *
 * @param roomListener null for none
 * @param isDaemon true if the JVM may end while the server runs
 * @param closeOnShutdown the grace of a close when the JVM ends; null for no close
 * @param unhandled gets the messages that have no handler; null to refuse them
 * @param interceptors the first one is the outermost
 * @param rates the rate limits of single events and requests, by their names
 * @param maxBytes the longest payloads of single events and requests, by their names
 * @param executor runs handlers; null for one of the server's own
 * @param scheduler runs timers; null for one of the server's own
 */
public record ServerConfig(
        InetSocketAddress address,
        String path,
        OriginRule origins,
        Authenticator authenticator,
        JoinRule.@Nullable Async joinRule,
        SendRule sendRule,
        SendRule.@Nullable Async lateSendRule,
        Map<String, Function<Dispatcher, Dispatcher.MessageHandler>> handlers,
        @Nullable UnhandledMessageHandler unhandled,
        List<Interceptor> interceptors,
        Map<String, RateLimit> rates,
        Map<String, Integer> maxBytes,
        SessionListener listener,
        @Nullable RoomListener roomListener,
        Limits limits,
        List<PresenceRule> presence,
        Retention retention,
        Retention inboxRetention,
        Heartbeat heartbeat,
        Duration sessionTtl,
        boolean isDaemon,
        @Nullable Duration closeOnShutdown,
        PayloadCodec codec,
        ServerTransport transport,
        @Nullable Tls tls,
        @Nullable Executor executor,
        @Nullable Scheduler scheduler,
        Random random) {
    public ServerConfig {
        handlers = Map.copyOf(handlers);
        interceptors = List.copyOf(interceptors);
        rates = Map.copyOf(rates);
        maxBytes = Map.copyOf(maxBytes);
        presence = List.copyOf(presence);
    }
}
