package io.realtime.netty;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundHandlerAdapter;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.EventLoop;
import io.netty.channel.embedded.EmbeddedChannel;
import io.realtime.server.websocket.OutboundQueue;
import java.io.IOException;
import java.lang.reflect.Proxy;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** On an event loop that runs when it is told to. */
class OutboundTest {
    private static final int BOUND = 100_000;

    private final List<String> heard = new ArrayList<>();
    private final Flushes flushes = new Flushes();
    private final EmbeddedChannel channel = new EmbeddedChannel(flushes, new Writability());
    private final Outbound outbound = new Outbound(channel, channel.eventLoop(), BOUND, new Owner());

    @AfterEach
    void release() {
        channel.finishAndReleaseAll();
    }

    @Test
    void nothingIsWrittenOnTheSendersStack() {
        assertTrue(outbound.send(bytes(10)));
        assertNull(channel.readOutbound());
        assertEquals(10, outbound.waiting());
        channel.runPendingTasks();
        assertEquals(List.of(10), written());
        assertEquals(0, outbound.waiting());
    }

    @Test
    void burstIsOneChunkOfDirectMemoryAndOneFlush() {
        for (int i = 0; i < 100; i++) {
            outbound.send(ByteBuffer.wrap(new byte[] {(byte) i}));
        }
        channel.runPendingTasks();
        ByteBuf chunk = channel.readOutbound();
        assertNotNull(chunk);
        assertTrue(chunk.isDirect());
        assertEquals(100, chunk.readableBytes());
        for (int i = 0; i < 100; i++) {
            assertEquals(i, chunk.readByte());
        }
        chunk.release();
        assertEquals(1, flushes.count);
    }

    @Test
    void largeBatchIsCutIntoChunks() {
        outbound.send(bytes(70_000));
        channel.runPendingTasks();
        assertEquals(List.of(32_768, 32_768, 4_464), written());
    }

    @Test
    void largeWriteIsInterleavedWithSmallOnes() {
        Outbound other = new Outbound(channel, channel.eventLoop(), BOUND, new Owner());
        Outbound third = new Outbound(channel, channel.eventLoop(), BOUND, new Owner());
        outbound.send(bytes(70_000));
        other.send(bytes(40_000));
        third.send(bytes(1));
        channel.runPendingTasks();
        assertEquals(List.of(1, 32_768, 32_768, 32_768, 7_232, 4_464), written());
    }

    @Test
    void whatReceiversShareIsNotChanged() {
        ByteBuffer shared = bytes(10);
        outbound.send(shared.asReadOnlyBuffer());
        outbound.send(shared.asReadOnlyBuffer());
        channel.runPendingTasks();
        assertEquals(List.of(20), written());
        assertEquals(10, shared.remaining());
    }

    @Test
    void broadcastIsCopiedOnceForAllButFirstOfItsReceivers() {
        List<Outbound> receivers = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            receivers.add(new Outbound(channel, channel.eventLoop(), BOUND, new Owner()));
        }
        for (byte message = 1; message <= 2; message++) {
            ByteBuffer shared = ByteBuffer.wrap(new byte[] {message, message}).asReadOnlyBuffer();
            receivers.forEach(receiver -> receiver.send(shared));
            channel.runPendingTasks();
            List<Long> addresses = new ArrayList<>();
            for (int i = 0; i < 4; i++) {
                ByteBuf written = channel.readOutbound();
                assertNotNull(written);
                addresses.add(written.memoryAddress());
                assertEquals(2, written.readableBytes());
                assertEquals(message, written.readByte());
                assertEquals(message, written.readByte());
                written.release();
            }
            assertNotEquals(addresses.get(0), addresses.get(1));
            assertEquals(addresses.get(1), addresses.get(2));
            assertEquals(addresses.get(1), addresses.get(3));
        }
    }

    @Test
    void piecesOfWhatIsSharedFollowEachOtherWithoutMovingIt() {
        byte[] bytes = new byte[50_000];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) (i / 7);
        }
        ByteBuffer shared = ByteBuffer.wrap(bytes).asReadOnlyBuffer();
        outbound.send(ByteBuffer.wrap(new byte[] {42}));
        outbound.send(shared);
        outbound.send(ByteBuffer.wrap(new byte[] {43}));
        channel.runPendingTasks();
        ByteBuffer all = ByteBuffer.allocate(bytes.length + 2);
        for (ByteBuf chunk = channel.readOutbound(); chunk != null; chunk = channel.readOutbound()) {
            chunk.readBytes(all.array(), all.position(), chunk.readableBytes());
            all.position(all.position() + chunk.readerIndex());
            chunk.release();
        }
        ByteBuffer expected =
                ByteBuffer.allocate(bytes.length + 2).put((byte) 42).put(bytes).put((byte) 43);
        assertArrayEquals(expected.array(), all.array());
        assertEquals(0, shared.position());
        assertEquals(0, outbound.waiting());
    }

    @Test
    void beyondBoundNothingIsTakenThoughNothingIsWrittenYet() {
        assertTrue(outbound.send(bytes(BOUND)));
        assertFalse(outbound.send(bytes(1)));
        outbound.control(bytes(1));
        assertEquals(BOUND, outbound.waiting());
        channel.runPendingTasks();
        assertTrue(outbound.send(bytes(1)));
        channel.runPendingTasks();
        assertEquals(BOUND + 1, written().stream().mapToInt(Integer::intValue).sum());
    }

    @Test
    void batchBeyondTheBoundIsRefusedByAnEmptyQueue() {
        assertFalse(outbound.send(bytes(BOUND + 1)));
        outbound.send(bytes(1));
        channel.runPendingTasks();
        assertEquals(List.of(), heard);
        written();
    }

    @Test
    void drainedIsSaidAfterMoreThanHalfOfBoundAndNotAfterLess() {
        outbound.send(bytes(BOUND / 2));
        channel.runPendingTasks();
        assertEquals(List.of(), heard);
        outbound.send(bytes(BOUND / 2 + 1));
        assertEquals(List.of(), heard);
        channel.runPendingTasks();
        assertEquals(List.of("drained"), heard);
        written();
    }

    @Test
    void channelThatTakesNoMoreIsGivenNoMore() {
        setWritable(false);
        outbound.send(bytes(1_000));
        channel.runPendingTasks();
        outbound.send(bytes(1_000));
        channel.runPendingTasks();
        assertEquals(List.of(), written());
        assertEquals(2_000, outbound.waiting());
        setWritable(true);
        channel.runPendingTasks();
        assertEquals(List.of(2_000), written());
        assertEquals(0, outbound.waiting());
    }

    @Test
    void whatComesWhileChannelBecomesWritableIsNotForgotten() {
        setWritable(false);
        outbound.send(bytes(1));
        channel.runPendingTasks();
        setWritable(true); // asks the loop to write, which finds
        setWritable(false); // the channel full again
        channel.runPendingTasks();
        outbound.send(bytes(2));
        setWritable(true);
        channel.runPendingTasks();
        assertEquals(3, written().stream().mapToInt(Integer::intValue).sum());
        outbound.send(bytes(4));
        channel.runPendingTasks();
        assertEquals(List.of(4), written());
    }

    @Test
    void nothingIsAcceptedAfterTheLastAndItsEndIsReported() {
        outbound.send(bytes(BOUND));
        outbound.seal(bytes(10), OutboundQueue.Then.SHUT_OUTPUT);
        outbound.seal(bytes(10), OutboundQueue.Then.FINISH);
        assertFalse(outbound.send(bytes(1)));
        outbound.control(bytes(1));
        assertEquals(List.of(), heard);
        channel.runPendingTasks();
        assertEquals(List.of("SHUT_OUTPUT"), heard);
        assertEquals(BOUND + 10, written().stream().mapToInt(Integer::intValue).sum());
        assertTrue(outbound.finish());
        channel.runPendingTasks();
        assertEquals(List.of("SHUT_OUTPUT", "FINISH"), heard);
    }

    @Test
    void finishBeforeTheSealWaitsForTheLastFrame() {
        outbound.send(bytes(1));
        assertFalse(outbound.finish());
        channel.runPendingTasks();
        assertEquals(List.of(), heard);
        assertEquals(List.of(1), written());
        outbound.seal(bytes(4), OutboundQueue.Then.GO_ON);
        channel.runPendingTasks();
        assertEquals(List.of(4), written());
        assertEquals(List.of("FINISH"), heard);
    }

    /** Whatever task of those that two connections with much to write need is refused, each is written or is over. */
    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 4, 5})
    void taskThatTheLoopCannotTakeLeavesTheLineToTheOthers(int refused) {
        EventLoop refusing = new Refusing(channel.eventLoop(), 2 + refused);
        List<Outbound> both = new ArrayList<>();
        List<Throwable> failures = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Outbound some = new Outbound(channel, refusing, BOUND, new Owner());
            both.add(some);
            some.send(bytes(40_000));
        }
        try {
            channel.runPendingTasks();
        } catch (Throwable failure) {
            failures.add(failure);
        }
        channel.runPendingTasks();
        written();
        assertEquals(List.of(), failures);
        Outbound third = new Outbound(channel, channel.eventLoop(), BOUND, new Owner());
        third.send(bytes(40_000));
        channel.runPendingTasks();
        assertEquals(List.of(32_768, 7_232), written());
        both.forEach(some -> assertEquals(0, some.waiting()));
    }

    @Test
    void whatCannotBeWrittenIsReported() {
        outbound.send(bytes(1));
        flushes.failure = new IOException("broken");
        channel.runPendingTasks();
        assertEquals(List.of("failed broken"), heard);
    }

    @Test
    void onceClosedNothingWaitsAndNothingIsTaken() {
        outbound.send(bytes(1));
        outbound.close();
        assertEquals(0, outbound.waiting());
        assertFalse(outbound.send(bytes(1)));
        outbound.seal(bytes(1), OutboundQueue.Then.FINISH);
        assertFalse(outbound.finish());
        channel.runPendingTasks();
        assertEquals(List.of(), written());
        assertEquals(List.of(), heard);
    }

    @Test
    void errorOfOneConnectionLeavesTheLineToTheOthers() {
        Outbound other = new Outbound(channel, channel.eventLoop(), BOUND, new Owner());
        outbound.send(bytes(40_000));
        assertTrue(outbound.awaitWritable(() -> {
            throw new NoClassDefFoundError("as requested");
        }));
        assertTrue(outbound.awaitWritable(() -> heard.add("caught up")));
        other.send(bytes(70_000));
        channel.runPendingTasks();
        assertEquals(List.of(32_768, 32_768, 7_232, 32_768, 4_464), written());
        assertEquals("caught up", heard.get(0));
        assertEquals(0, other.waiting());
    }

    @Test
    void errorWhileAPieceIsWrittenLeavesTheLineToTheOthers() {
        Outbound other = new Outbound(channel, channel.eventLoop(), BOUND, new Owner());
        outbound.send(bytes(40_000));
        other.send(bytes(40_000));
        ByteBufAllocator working = channel.config().getAllocator();
        Class<?>[] type = {ByteBufAllocator.class};
        channel.config().setAllocator((ByteBufAllocator)
                Proxy.newProxyInstance(getClass().getClassLoader(), type, (broken, method, sizes) -> {
                    channel.config().setAllocator(working);
                    throw new NoClassDefFoundError("as requested");
                }));
        channel.runPendingTasks();
        assertEquals(List.of(32_768, 7_232), written());
        assertEquals(List.of("failed as requested"), heard);
    }

    private void setWritable(boolean writable) {
        channel.unsafe().outboundBuffer().setUserDefinedWritability(1, writable);
    }

    /** Takes what was written, as lengths. */
    private List<Integer> written() {
        List<Integer> lengths = new ArrayList<>();
        for (ByteBuf next = channel.readOutbound(); next != null; next = channel.readOutbound()) {
            lengths.add(next.readableBytes());
            next.release();
        }
        return lengths;
    }

    private static ByteBuffer bytes(int length) {
        return ByteBuffer.wrap(new byte[length]);
    }

    private final class Owner implements Outbound.Owner {
        @Override
        public void drained() {
            heard.add("drained");
        }

        @Override
        public void written(OutboundQueue.Then then) {
            heard.add(then.toString());
        }

        @Override
        public void failed(Throwable cause) {
            heard.add("failed " + cause.getMessage());
        }
    }

    private final class Writability extends ChannelInboundHandlerAdapter {
        @Override
        public void channelWritabilityChanged(ChannelHandlerContext context) {
            if (context.channel().isWritable()) {
                outbound.writable();
            }
        }
    }

    /** Runs on another loop, but for one task. */
    private static final class Refusing extends DefaultEventLoop {
        private final EventLoop loop;
        private final int refused;
        private int count;

        Refusing(EventLoop loop, int refused) {
            this.loop = loop;
            this.refused = refused;
        }

        @Override
        public void execute(Runnable task) {
            if (++count == refused) {
                throw new OutOfMemoryError("as requested");
            }
            loop.execute(task);
        }
    }

    private static final class Flushes extends ChannelOutboundHandlerAdapter {
        private int count;
        private @Nullable IOException failure;

        @Override
        public void flush(ChannelHandlerContext context) {
            count++;
            IOException cause = failure;
            if (cause == null) {
                context.flush();
            } else {
                context.channel().unsafe().outboundBuffer().addFlush();
                context.channel().unsafe().outboundBuffer().remove(cause);
            }
        }
    }
}
