package io.realtime.server.internal.connection;

import io.realtime.CloseReason;
import io.realtime.Heartbeat;
import io.realtime.internal.HeartbeatMonitor;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.spi.Connection;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * The detection of a connection that is dead, by pings, or idle. Closes it on the server's own threads: after a pause
 * of the process many are due at once.
 */
final class PeerLiveness {
    private final HeartbeatMonitor heartbeat;
    // Counts messages only. Null without a limit.
    private final @Nullable HeartbeatMonitor idle;

    PeerLiveness(Peer peer, Connection connection, PeerAcceptor acceptor) {
        SessionContext context = acceptor.context();
        this.heartbeat = HeartbeatMonitor.start(
                acceptor.heartbeat(),
                acceptor.random().nextDouble(),
                context.scheduler(),
                connection::taken,
                () -> context.workers().execute(connection::ping),
                () -> context.workers()
                        .execute(() -> peer.close(new CloseReason(
                                CloseReason.HEARTBEAT_TIMEOUT,
                                "nothing heard for "
                                        + acceptor.heartbeat().timeout().toMillis() + " ms"))));
        Duration idleTimeout = context.limits().idleTimeout();
        this.idle = idleTimeout.isZero()
                ? null
                : HeartbeatMonitor.start(
                        new Heartbeat(idleTimeout.dividedBy(2), idleTimeout),
                        0,
                        context.scheduler(),
                        () -> {},
                        () -> context.workers()
                                .execute(() -> peer.close(new CloseReason(
                                        CloseReason.IDLE, "no message for " + idleTimeout.toMillis() + " ms"))));
    }

    /** Notes that the peer was heard. */
    void received() {
        heartbeat.received();
    }

    /** Notes that a part of a frame has arrived. */
    void progressed(int bytes, boolean isClosing) {
        heartbeat.progressed(bytes);
        if (idle != null && !isClosing) {
            idle.progressed(bytes);
        }
    }

    /** Notes a message. Those that only keep the connection alive do not count. */
    void received(Envelope envelope) {
        if (idle != null
                && !envelope.type().equals(Protocol.PING)
                && !envelope.type().equals(Protocol.ACK)) {
            idle.received();
        }
    }

    void stop() {
        heartbeat.stop();
        if (idle != null) {
            idle.stop();
        }
    }
}
