package io.realtime.netty;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.EventLoop;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import io.realtime.server.websocket.OpenConnections;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A listening socket that fails as it is told, in virtual time. */
class AcceptHandlerTest {
    private final EmbeddedChannel listening = new EmbeddedChannel();
    private final OpenConnections open = new OpenConnections();
    private final AcceptHandler accepted =
            new AcceptHandler(listening.eventLoop(), Echo.config(null, Duration.ofSeconds(10)), null, new Echo(), open);

    @AfterEach
    void close() {
        listening.finishAndReleaseAll();
    }

    @Test
    void failureIsReportedAndAcceptingPausesUntilItIsTriedAgain() {
        listening.pipeline().addLast(accepted);
        listening.freezeTime();
        assertNull(accepted.failure());

        listening.pipeline().fireExceptionCaught(new IOException("Too many open files"));
        assertEquals("Too many open files", accepted.failure());
        assertFalse(listening.config().isAutoRead());
        listening.advanceTimeBy(499, TimeUnit.MILLISECONDS);
        listening.runScheduledPendingTasks();
        assertFalse(listening.config().isAutoRead());
        listening.advanceTimeBy(1, TimeUnit.MILLISECONDS);
        listening.runScheduledPendingTasks();
        assertTrue(listening.config().isAutoRead());
        assertEquals("Too many open files", accepted.failure(), "until one is accepted");
    }

    @Test
    void acceptingOneEndsTheFailure() {
        listening.pipeline().addLast(accepted);
        listening.pipeline().fireExceptionCaught(new IOException("Too many open files"));
        NioSocketChannel gone = new NioSocketChannel(); // its peer has left already: it has no address
        listening.writeInbound(gone);
        assertNull(accepted.failure());
        assertFalse(gone.isOpen());
        assertEquals(0, open.count());
    }

    @Test
    void errorWhileOneIsAcceptedIsThatPeersAlone() {
        listening.pipeline().addLast(accepted);
        NioSocketChannel broken = new NioSocketChannel() {
            @Override
            public InetSocketAddress remoteAddress() {
                throw new NoClassDefFoundError("as requested");
            }
        };
        listening.writeInbound(broken);
        assertFalse(broken.isOpen());
        assertEquals(0, open.count());
        assertNull(accepted.failure());
        assertTrue(listening.config().isAutoRead());
    }

    @Test
    void errorWhileOneIsRegisteredLeavesNoneOpen() {
        EventLoop broken = new DefaultEventLoop() {
            @Override
            public ChannelFuture register(Channel channel) {
                throw new OutOfMemoryError("as requested");
            }
        };
        AcceptHandler accepting =
                new AcceptHandler(broken, Echo.config(null, Duration.ofSeconds(10)), null, new Echo(), open);
        listening.pipeline().addLast(accepting);
        NioSocketChannel accepted = new NioSocketChannel() {
            @Override
            public InetSocketAddress remoteAddress() {
                return new InetSocketAddress(InetAddress.getLoopbackAddress(), 1);
            }
        };
        listening.writeInbound(accepted);
        assertFalse(accepted.isOpen());
        assertEquals(0, open.count());
    }
}
