package io.realtime.server;

import io.realtime.Heartbeat;
import io.realtime.spi.PayloadCodec;
import io.realtime.spi.Scheduler;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.Tls;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * What a server was built with. {@link RealtimeServer.Builder#build} copies it from the builder, so that nothing that is
 * done to the builder afterwards reaches a running server. Immutable but for the objects it names.
 *
 * @param isDaemon whether the JVM may end while the server runs
 * @param closeOnShutdown the grace of a close at the JVM's end; null for none
 * @param executor of handlers; null for one of the server's own
 * @param scheduler of timers; null for one of the server's own
 */
record ServerConfig(
        InetSocketAddress address,
        String path,
        OriginRule origins,
        Authenticator authenticator,
        JoinRule.@Nullable Async joinRule,
        SendRule sendRule,
        SendRule.@Nullable Async lateSendRule,
        Map<String, Function<Dispatcher, Dispatcher.MessageHandler>> handlers,
        SessionListener listener,
        Limits limits,
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
    ServerConfig {
        handlers = Map.copyOf(handlers);
    }
}
