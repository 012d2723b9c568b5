package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.CloseReason;
import io.realtime.StreamRequest;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A connection that takes nothing for a while, or cannot send at all. */
class ClientFullConnectionTest {
    private final World world = new World();
    private @Nullable Flow flow;

    @BeforeEach
    void connect() {
        ClientTransport real = world.network.clientTransport();
        world.use(world.builder()
                .messageBytes(16 << 10)
                .inboundBytes(64 << 10)
                .transport((target, callback) -> real.connect(target, new ClientTransport.Callback() {
                    @Override
                    public ConnectionListener connected(Connection connection) {
                        Flow made = new Flow(connection);
                        made.listener = callback.connected(made);
                        flow = made;
                        return made.listener;
                    }

                    @Override
                    public void failed(Exception cause) {
                        callback.failed(cause);
                    }
                })));
        world.placeIn("@session");
        world.connected();
    }

    @AfterEach
    void nothingIsLeft() {
        world.close();
    }

    private Flow flow() {
        return Objects.requireNonNull(flow);
    }

    private void drain() {
        flow().isFull = false;
        Objects.requireNonNull(flow().listener).onDrained();
        world.settle();
    }

    @Test
    void messageThatConnectionRefusedLeavesWhenItIsDrained() {
        flow().isFull = true;
        CompletableFuture<Void> sent = world.client().send(World.SAY, new Say("a"));
        world.settle();
        assertEquals(List.of(), world.peer().says());
        drain();
        assertEquals(List.of("a"), world.peer().says());
        assertTrue(sent.isDone());
    }

    @Test
    void creditThatConnectionRefusedLeavesWhenItIsDrained() {
        StreamRequest<String, String> items = StreamRequest.of("items", String.class, String.class);
        List<String> heard = new ArrayList<>();
        var stream = world.client().stream(items, "q", heard::add);
        world.settle();
        Envelope question = world.peer().all("items").get(0);
        int before = world.peer().all(Protocol.CREDIT).size();
        flow().isFull = true;
        for (int i = 1; i <= 40; i++) {
            world.peer()
                    .send("{'type':'$next','room':'@session','offset':" + i + ",'ref':'" + question.ref() + "','index':"
                            + (i - 1) + ",'data':'x'}");
        }
        world.settle();
        assertEquals(40, heard.size());
        world.advance(1_000);
        assertEquals(before, world.peer().all(Protocol.CREDIT).size());
        drain();
        assertEquals(before + 1, world.peer().all(Protocol.CREDIT).size());
        stream.close();
    }

    /** And the frame counts against inboundBytes no longer. */
    @Test
    void errorWhileAFrameIsTakenEndsTheConnection() {
        for (int i = 0; i < 20; i++) {
            flow().isBroken = true;
            world.peer().send("{'type':'$ping','data':'" + "x".repeat(10_000) + "'}");
            world.settle();
            assertEquals(Status.WAITING, world.client().state().status());
            CloseReason reason = Objects.requireNonNull(world.lastState().reason());
            assertEquals(CloseReason.INTERNAL_ERROR, reason.code());
            world.advance(60_000);
            assertTrue(world.client().isConnected());
        }
    }

    private static final class Flow implements Connection {
        private final Connection real;
        private @Nullable ConnectionListener listener;
        private boolean isFull;
        private boolean isBroken;

        Flow(Connection real) {
            this.real = real;
        }

        @Override
        public boolean send(MessageBatch batch) {
            if (isBroken) {
                throw new NoClassDefFoundError("as requested");
            }
            return !isFull && real.send(batch);
        }

        @Override
        public long outboundBytes() {
            return real.outboundBytes();
        }

        @Override
        public void ping() {
            real.ping();
        }

        @Override
        public void close(CloseReason reason) {
            real.close(reason);
        }

        @Override
        public void abort() {
            real.abort();
        }

        @Override
        public String remoteAddress() {
            return real.remoteAddress();
        }
    }
}
