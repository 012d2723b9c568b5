package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.client.ConnectionState.Status;
import io.realtime.internal.HeartbeatMonitor;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Scheduler;
import io.realtime.testing.InMemoryNetwork.Direction;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A server whose message takes longer than the heartbeat's timeout; its pongs wait behind it. */
class ClientSlowLinkTest {
    private final World world = new World();
    private final List<ConnectionListener> listeners = new ArrayList<>();

    @BeforeEach
    void connectToAServerWhosePongsAreLate() {
        ClientTransport real = world.network.clientTransport();
        world.use(world.builder().transport(new ClientTransport() {
            @Override
            public Scheduler.Cancellable connect(Target target, Callback callback) {
                return real.connect(target, new Callback() {
                    @Override
                    public ConnectionListener connected(Connection connection) {
                        listeners.add(callback.connected(connection));
                        return listeners.get(listeners.size() - 1);
                    }

                    @Override
                    public void failed(Exception cause) {
                        callback.failed(cause);
                    }
                });
            }
        }));
        world.connected();
        world.network.links().get(0).halfOpen(Direction.TO_CLIENT);
    }

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    @Test
    void longMessageOnASlowLinkIsNotCut() {
        for (int i = 0; i < 64; i++) {
            world.advance(59_000);
            listeners.get(0).onProgress(HeartbeatMonitor.PROGRESS_BYTES);
        }
        assertTrue(world.client().isConnected());
        assertEquals(1, listeners.size());
    }

    @Test
    void progressAnswersTheProbeOfAChangedNetwork() {
        world.client().networkChanged();
        world.advance(1_000);
        listeners.get(0).onProgress(1);
        world.advance(10_000);
        assertTrue(world.client().isConnected());
    }

    @Test
    void trickleOfAMessageIsCutAtTheTimeout() {
        for (int i = 0; i < 61 && world.client().isConnected(); i++) {
            listeners.get(0).onProgress(1);
            world.advance(1_000);
        }
        assertEquals(Status.WAITING, world.client().state().status());
    }
}
