package io.realtime.client;

import io.realtime.Backoff;
import io.realtime.Heartbeat;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** The configuration of a client; immutable except for the objects that it names. */
record ClientConfig(
        ClientTransport.Target target,
        @Nullable TokenProvider tokens,
        Backoff backoff,
        Heartbeat heartbeat,
        OutboxLimits outbox,
        @Nullable FileOutbox outboxFile,
        Duration tokenTimeout,
        Duration connectTimeout,
        ClientTransport transport,
        Scheduler scheduler,
        Random random) {}
