package io.realtime.testing;

import io.realtime.CloseReason;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.net.URI;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import org.jspecify.annotations.Nullable;

/** The network in memory keeps what a transport over sockets keeps, in virtual time. */
class InMemoryTransportContractTest extends ServerTransportContract {
    private static final int PATIENCE_MILLIS = 10_000;

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final ClientTransport client = network.clientTransport();

    @Override
    protected ServerTransport newTransport() {
        return network.serverTransport();
    }

    @Override
    protected ContractPeer connect(String target, Map<String, String> headers, String subprotocol)
            throws IOException, InterruptedException {
        End end = new End();
        URI uri = URI.create("ws://localhost:" + transport().port() + target);
        client.connect(new ClientTransport.Target(uri, headers, subprotocol, 1 << 20, 1 << 20), end);
        Object outcome = await(end.outcome);
        if (outcome instanceof IOException failure) {
            throw failure;
        }
        return end;
    }

    @Override
    protected <T> @Nullable T await(BlockingQueue<T> queue) {
        for (int i = 0; i < PATIENCE_MILLIS && queue.isEmpty(); i++) {
            time.advance(Duration.ofMillis(1));
        }
        return queue.poll();
    }

    @Override
    protected void meanwhile(Runnable task) {
        task.run();
    }

    /** The client's end of a connection, and its attempt before. */
    private final class End implements ContractPeer, ClientTransport.Callback, ConnectionListener {
        private final BlockingQueue<Object> outcome = new LinkedBlockingQueue<>();
        private final BlockingQueue<String> seen = new LinkedBlockingQueue<>();
        private @Nullable SimulatedEnd end;

        @Override
        public ConnectionListener connected(Connection connection) {
            end = (SimulatedEnd) connection;
            outcome.add(connection);
            return this;
        }

        @Override
        public void failed(Exception cause) {
            outcome.add(cause);
        }

        private SimulatedEnd end() {
            if (end == null) {
                throw new IllegalStateException("not connected");
            }
            return end;
        }

        private SimulatedLink link() {
            return end().link();
        }

        @Override
        public void text(String text) {
            send(ServerTransportContract.text(text));
        }

        @Override
        public void binary(byte[] payload) {
            send(MessageBatch.of(WireMessage.binary(payload)));
        }

        private void send(MessageBatch batch) {
            if (!end().send(batch)) {
                throw new IllegalStateException("the client's queue is full, or over");
            }
        }

        @Override
        public void ping() {
            end().ping();
        }

        @Override
        public void close(CloseReason reason) {
            end().close(reason);
        }

        @Override
        public String next() {
            String next = await(seen);
            if (next == null) {
                throw new AssertionError("nothing came");
            }
            return next;
        }

        @Override
        public void pauseReading() {
            link().server().stall(true);
        }

        @Override
        public void resumeReading() {
            link().server().stall(false);
        }

        @Override
        public void vanish() {
            link().halfOpen();
        }

        @Override
        public void cut() {
            end().abort();
        }

        @Override
        public void onText(String text) {
            seen.add("text " + text);
        }

        @Override
        public void onBinary(ByteBuffer payload) {
            byte[] bytes = new byte[payload.remaining()];
            payload.get(bytes);
            seen.add("binary " + Arrays.toString(bytes));
        }

        @Override
        public void onActivity() {}

        @Override
        public void onDrained() {}

        @Override
        public void onClosed(CloseReason reason, boolean byPeer) {
            seen.add("closed " + reason);
        }
    }
}
