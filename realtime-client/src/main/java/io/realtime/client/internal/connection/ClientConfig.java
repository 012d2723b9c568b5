package io.realtime.client.internal.connection;

import io.realtime.Backoff;
import io.realtime.Heartbeat;
import io.realtime.client.OutboxLimits;
import io.realtime.client.TokenProvider;
import io.realtime.client.internal.outbox.OutboxFile;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Random;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The configuration of a client; immutable except for the objects that it names. */
public record ClientConfig(
        ClientTransport.Target target,
        @Nullable TokenProvider tokens,
        Backoff backoff,
        Heartbeat heartbeat,
        OutboxLimits outbox,
        @Nullable OutboxFile outboxFile,
        Duration tokenTimeout,
        Duration connectTimeout,
        ClientTransport transport,
        Scheduler scheduler,
        Random random,
        @Nullable Supplier<@Nullable String> traces) {}
