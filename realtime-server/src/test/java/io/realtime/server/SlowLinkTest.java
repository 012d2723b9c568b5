package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.mockito.AdditionalAnswers.delegatesTo;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.doAnswer;
import static org.mockito.Mockito.mock;

import io.realtime.CloseReason;
import io.realtime.Heartbeat;
import io.realtime.internal.HeartbeatMonitor;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.InMemoryNetwork.Direction;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A peer whose message takes longer than the heartbeat's timeout; its pongs wait behind it. */
class SlowLinkTest {
    private static final Duration TIMEOUT = Duration.ofSeconds(60);
    private static final Duration IDLE = Duration.ofSeconds(90);

    private final List<ConnectionListener> listeners = new ArrayList<>();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.heartbeat(new Heartbeat(Duration.ofSeconds(30), TIMEOUT))
                    .limits(Limits.builder().idleTimeout(IDLE).build()),
            this::watched);

    private ServerTransport watched(ServerTransport transport) {
        ServerTransport edge = mock(ServerTransport.class, delegatesTo(transport));
        try {
            doAnswer(start -> {
                        ServerTransport.Acceptor real = start.getArgument(1);
                        ServerTransport.Acceptor watching = mock(ServerTransport.Acceptor.class, delegatesTo(real));
                        doAnswer(open -> {
                                    listeners.add(real.open(open.getArgument(0), open.getArgument(1)));
                                    return listeners.get(listeners.size() - 1);
                                })
                                .when(watching)
                                .open(any(), any());
                        transport.start(start.getArgument(0), watching);
                        return null;
                    })
                    .when(edge)
                    .start(any(), any());
        } catch (IOException impossible) { // nothing is started here
            throw new AssertionError(impossible);
        }
        return edge;
    }

    @AfterEach
    void close() {
        test.close();
    }

    private TestPeer peerWhosePongsAreLate() {
        TestPeer peer = test.plain("alice");
        test.network.links().get(0).halfOpen(Direction.TO_SERVER);
        return peer;
    }

    @Test
    void longMessageOnASlowLinkIsNotCut() {
        TestPeer peer = peerWhosePongsAreLate();
        for (int i = 0; i < 64; i++) {
            test.time.advance(TIMEOUT.minusSeconds(1));
            listeners.get(0).onProgress(HeartbeatMonitor.PROGRESS_BYTES);
        }
        assertNull(peer.closed());
    }

    @Test
    void trickleOfAMessageIsCutAtTheTimeout() {
        TestPeer peer = peerWhosePongsAreLate();
        for (int i = 0; i < TIMEOUT.toSeconds() && peer.closed() == null; i++) {
            listeners.get(0).onProgress(1);
            test.time.advance(Duration.ofSeconds(1));
        }
        test.settle();
        assertEquals(CloseReason.HEARTBEAT_TIMEOUT, peer.closeCode());
    }
}
