package io.realtime.client.internal.connection;

import io.realtime.CloseReason;
import io.realtime.Heartbeat;
import io.realtime.client.internal.callback.Timers;
import io.realtime.internal.HeartbeatMonitor;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Random;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Detects that an open connection is dead: by its heartbeat, and after a change of the network by a probe. Owned by the
 * scheduler's thread.
 */
final class Liveness {
    private static final Duration LONGEST_TIMEOUT = Duration.ofHours(1);
    private static final Duration PROBE = Duration.ofSeconds(5);

    private final Heartbeat ownHeartbeat;
    private final Scheduler scheduler;
    private final Random random;

    /** @param ownHeartbeat the heartbeat if the server names none */
    Liveness(Heartbeat ownHeartbeat, Scheduler scheduler, Random random) {
        this.ownHeartbeat = ownHeartbeat;
        this.scheduler = scheduler;
        this.random = random;
    }

    /** Begins the heartbeat of a connection: the server's if it is usable, else the client's own. */
    void watch(ServerConnection connection, Protocol.@Nullable HeartbeatMs said, Consumer<CloseReason> onDead) {
        Heartbeat heartbeat = ownHeartbeat;
        boolean isUsable = said != null
                && said.intervalMs() > 0
                && said.timeoutMs() > said.intervalMs()
                && said.timeoutMs() <= LONGEST_TIMEOUT.toMillis();
        if (said != null && isUsable) {
            heartbeat = new Heartbeat(Duration.ofMillis(said.intervalMs()), Duration.ofMillis(said.timeoutMs()));
        }
        Duration timeout = heartbeat.timeout();
        connection.watch(HeartbeatMonitor.start(
                heartbeat,
                random.nextDouble(),
                scheduler,
                connection::ping,
                () -> onDead.accept(new CloseReason(CloseReason.HEARTBEAT_TIMEOUT, "nothing heard for " + timeout))));
    }

    /**
     * Gives a connection some time to show a sign of life. If the network changes again meanwhile, probes once more.
     */
    void probe(ServerConnection suspect, Consumer<CloseReason> onDead) {
        if (suspect.probe != Timers.NONE) {
            suspect.probesAgain = true;
            return;
        }
        suspect.ping();
        // Cancelled when the connection ends.
        suspect.probe = scheduler.schedule(PROBE, () -> {
            suspect.probe = Timers.NONE;
            if (suspect.isSilent()) {
                onDead.accept(new CloseReason(CloseReason.HEARTBEAT_TIMEOUT, "nothing heard on the new network"));
            } else if (suspect.probesAgain) {
                suspect.probesAgain = false;
                probe(suspect, onDead);
            }
        });
    }
}
