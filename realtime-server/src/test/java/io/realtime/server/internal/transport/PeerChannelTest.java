package io.realtime.server.internal.transport;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.mockito.ArgumentMatchers.any;
import static org.mockito.Mockito.clearInvocations;
import static org.mockito.Mockito.doThrow;
import static org.mockito.Mockito.mock;
import static org.mockito.Mockito.never;
import static org.mockito.Mockito.times;
import static org.mockito.Mockito.verify;
import static org.mockito.Mockito.verifyNoInteractions;
import static org.mockito.Mockito.when;

import io.realtime.server.websocket.OutboundQueue;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.java_websocket.SocketChannelIOHelper;
import org.java_websocket.WebSocketImpl;
import org.java_websocket.WebSocketListener;
import org.java_websocket.drafts.Draft_6455;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a connection asks of its socket and its key, counted. */
class PeerChannelTest {
    private static final int READ = SelectionKey.OP_READ;
    private static final int READ_AND_WRITE = SelectionKey.OP_READ | SelectionKey.OP_WRITE;
    private static final int BOUND = 1 << 21;

    private final SocketChannel socket = mock(SocketChannel.class);
    private final SelectionKey key = mock(SelectionKey.class);
    private final Selector selector = mock(Selector.class);
    private final PeerChannel.Owner owner = mock(PeerChannel.Owner.class);
    private final PeerChannel channel = new PeerChannel(socket, key, 1_000, BOUND, owner);
    private final List<Long> writes = new ArrayList<>(); // what each was given
    private final List<Integer> reads = new ArrayList<>(); // the room that each had
    private long takes = Long.MAX_VALUE; // what the socket takes of a write
    private byte[] brings = new byte[0]; // what the next read brings

    @BeforeEach
    void connect() throws IOException {
        when(key.selector()).thenReturn(selector);
        when(selector.isOpen()).thenReturn(true);
        when(selector.selectedKeys()).thenReturn(new HashSet<>());
        when(socket.write(any(ByteBuffer[].class))).thenAnswer(call -> {
            long given = 0;
            for (ByteBuffer part : call.<ByteBuffer[]>getArgument(0)) {
                given += part.remaining();
            }
            writes.add(given);
            return Math.min(given, takes);
        });
        when(socket.write(any(ByteBuffer.class))).thenAnswer(call -> {
            long given = call.<ByteBuffer>getArgument(0).remaining();
            writes.add(given);
            return (int) Math.min(given, takes);
        });
        when(socket.read(any(ByteBuffer.class))).thenAnswer(call -> {
            ByteBuffer target = call.getArgument(0);
            reads.add(target.remaining());
            byte[] some = Arrays.copyOf(brings, Math.min(brings.length, target.remaining()));
            brings = Arrays.copyOfRange(brings, some.length, brings.length);
            target.put(some);
            return some.length;
        });
    }

    // ---- outbound

    @Test
    void whatWaitsForTheSocketLeavesInOneWrite() {
        takes = 0;
        for (int i = 0; i < 20; i++) {
            assertTrue(channel.send(ByteBuffer.allocate(100)));
        }
        assertEquals(List.of(100L), writes, "the first found the socket full, the others did not try");
        takes = Long.MAX_VALUE;
        channel.writeMore();
        assertEquals(List.of(100L, 2_000L), writes);
        assertEquals(0, channel.waiting());
    }

    @Test
    void queuedDataLeavesWithTheFlushInOneWrite() {
        for (int i = 0; i < 20; i++) {
            assertTrue(channel.queue(ByteBuffer.allocate(100)));
        }
        assertEquals(List.of(), writes);
        assertEquals(2_000, channel.waiting());
        channel.flush();
        channel.flush();
        assertEquals(List.of(2_000L), writes);
        assertEquals(0, channel.waiting());
    }

    @Test
    void queuedDataLeavesBeforeWhatIsSentAndSealed() {
        assertTrue(channel.queue(ByteBuffer.allocate(100)));
        assertTrue(channel.send(ByteBuffer.allocate(10)));
        assertTrue(channel.queue(ByteBuffer.allocate(200)));
        channel.control(ByteBuffer.allocate(2));
        assertTrue(channel.queue(ByteBuffer.allocate(300)));
        channel.seal(ByteBuffer.allocate(4), OutboundQueue.Then.GO_ON);
        assertEquals(List.of(110L, 202L, 304L), writes);
    }

    @Test
    void finishBeforeTheSealWaitsForTheLastFrame() {
        channel.finish();
        channel.send(ByteBuffer.allocate(1));
        verify(owner, never()).finished();
        channel.seal(ByteBuffer.allocate(4), OutboundQueue.Then.GO_ON);
        assertEquals(List.of(1L, 4L), writes);
        verify(owner).finished();
    }

    @Test
    void queuedDataIsWrittenAtOnceWhenMuchWaits() {
        assertTrue(channel.queue(ByteBuffer.allocate(16 * 1024)));
        assertEquals(List.of(), writes);
        assertTrue(channel.queue(ByteBuffer.allocate(1)));
        assertEquals(List.of(16 * 1024L + 1), writes);
    }

    @Test
    void queuedDataThatSocketDoesNotTakeIsLeftToSelector() {
        takes = 30;
        assertTrue(channel.queue(ByteBuffer.allocate(100)));
        channel.flush();
        assertTrue(channel.queue(ByteBuffer.allocate(100)));
        channel.flush();
        assertEquals(List.of(100L), writes);
        takes = Long.MAX_VALUE;
        channel.writeMore();
        assertEquals(List.of(100L, 170L), writes);
    }

    @Test
    void bytesAreTakenOnlyAfterTheyHadToWait() {
        channel.send(ByteBuffer.allocate(100));
        takes = 30;
        channel.send(ByteBuffer.allocate(100));
        assertEquals(0, channel.taken());
        channel.writeMore();
        assertEquals(30, channel.taken());
        takes = Long.MAX_VALUE;
        channel.writeMore();
        assertEquals(70, channel.taken());
        channel.send(ByteBuffer.allocate(100));
        assertEquals(70, channel.taken());
    }

    @Test
    void whatReceiversShareIsNotMovedByAWriteThatTakesAPart() {
        ByteBuffer shared = ByteBuffer.allocate(100).asReadOnlyBuffer();
        takes = 30;
        assertTrue(channel.send(shared));
        assertEquals(70, channel.waiting());
        assertEquals(100, shared.remaining());
        channel.writeMore();
        takes = Long.MAX_VALUE;
        channel.writeMore();
        assertEquals(List.of(100L, 70L, 40L), writes);
        assertEquals(100, shared.remaining());
        assertEquals(0, channel.waiting());
    }

    @Test
    void writeIsGivenNoMoreThanASocketMayTake() {
        assertTrue(channel.send(ByteBuffer.allocate(1 << 20)));
        assertEquals(16, writes.size());
        assertTrue(writes.stream().allMatch(given -> given == 64 * 1024), writes::toString);
    }

    @Test
    void selectorIsAskedToWriteWhileSomethingWaitsAndNotLonger() {
        channel.send(ByteBuffer.allocate(100));
        verify(key, never()).interestOps(READ_AND_WRITE);
        takes = 10;
        channel.send(ByteBuffer.allocate(100));
        verify(key).interestOps(READ_AND_WRITE);
        verify(selector).wakeup();
        takes = Long.MAX_VALUE;
        channel.writeMore();
        verify(key).interestOps(READ);
        channel.writeMore();
        assertEquals(List.of(100L, 100L, 90L), writes, "the last had nothing to do");
    }

    @Test
    void libraryNeverResetsTheInterest() throws IOException {
        WebSocketImpl impl = new WebSocketImpl(mock(WebSocketListener.class), new Draft_6455());
        takes = 10;
        channel.send(ByteBuffer.allocate(100));
        assertFalse(SocketChannelIOHelper.batch(impl, channel), "true has it reset to reading");
        takes = Long.MAX_VALUE;
        assertFalse(SocketChannelIOHelper.batch(impl, channel));
        assertEquals(0, channel.waiting(), "and yet it had the rest written");
    }

    @Test
    void sentDataFollowsQueuedData() {
        assertThrows(IOException.class, () -> channel.write(ByteBuffer.allocate(1)));
        assertEquals(List.of(), writes);
    }

    @Test
    void writeThatFailsHasConnectionEndedAndDoesNotReachSender() throws IOException {
        Error failure = new StackOverflowError("expected by the test; direct memory runs out sooner");
        doThrow(failure).when(socket).write(any(ByteBuffer.class));
        assertTrue(channel.send(ByteBuffer.allocate(1)));
        verify(owner).failed(failure);
    }

    /** Otherwise the next connection gets the socket's descriptor, and with it these bytes. */
    @ParameterizedTest
    @ValueSource(longs = {1, 0, -1})
    void socketIsNotClosedWhileAThreadWrites(long takesOfIt) throws IOException {
        List<Boolean> closed = new ArrayList<>();
        when(socket.write(any(ByteBuffer.class))).thenAnswer(call -> {
            closed.add(channel.tryClose());
            verify(socket, never()).close();
            if (takesOfIt < 0) {
                throw new IOException("expected by the test");
            }
            return (int) takesOfIt;
        });
        assertTrue(channel.send(ByteBuffer.allocate(1)));
        closed.add(channel.tryClose());
        assertEquals(List.of(false, true), closed);
        verify(socket).close();
        assertFalse(channel.send(ByteBuffer.allocate(1)));
        channel.writeMore();
        verify(socket, times(1)).write(any(ByteBuffer.class));
        assertEquals(0, channel.waiting());
    }

    @Test
    void writeThatFailsTwiceDoesNotKeepTheSocketOpen() throws IOException {
        doThrow(new StackOverflowError("expected by the test")).when(socket).write(any(ByteBuffer.class));
        doThrow(new StackOverflowError("expected by the test, once more"))
                .when(owner)
                .failed(any());
        assertTrue(channel.send(ByteBuffer.allocate(1)));
        assertFalse(channel.send(ByteBuffer.allocate(1)), "nothing follows a frame of which a part may have left");
        verify(socket, times(1)).write(any(ByteBuffer.class));
        assertTrue(channel.tryClose());
        verify(socket).close();
    }

    @Test
    void socketThatDoesNotCloseIsNotReported() throws IOException {
        doThrow(new IOException("expected by the test")).when(socket).close();
        channel.close();
        assertFalse(channel.send(ByteBuffer.allocate(1)));
        verifyNoInteractions(owner);
    }

    // ---- inbound

    @Test
    void libraryGetsTheHeadInOnePiece() throws IOException {
        byte[] head = "GET / HTTP/1.1\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
        ByteBuffer target = ByteBuffer.allocate(2_000);
        for (int i = 0; i < head.length - 1; i++) {
            brings = new byte[] {head[i]};
            assertEquals(0, read(target).length, "it would parse all of it again");
        }
        brings = new byte[] {head[head.length - 1], 'a', 'b'};
        assertArrayEquals(head, read(target));
        assertTrue(channel.isNeedRead());
        target.clear();
        assertEquals(2, channel.readMore(target));
        assertArrayEquals(new byte[] {'a', 'b'}, Arrays.copyOf(target.array(), 2));
        assertFalse(channel.isNeedRead());
        brings = new byte[] {'c'};
        assertArrayEquals(new byte[] {'c'}, read(target));
    }

    @Test
    void whatCameWithTheHeadIsReadBeforeWhatCameLater() {
        ByteBuffer target = ByteBuffer.allocate(2_000);
        brings = "GET / HTTP/1.1\r\n\r\nab".getBytes(StandardCharsets.US_ASCII);
        read(target);
        brings = new byte[] {'c'};
        assertArrayEquals(new byte[] {'a', 'b'}, read(target), "the library's round was cut short");
        assertFalse(channel.isNeedRead());
        assertArrayEquals(new byte[] {'c'}, read(target));
    }

    @Test
    void headIsReadUpToItsLimit() throws IOException {
        ByteBuffer target = ByteBuffer.allocate(2_000);
        brings = new byte[600];
        read(target);
        brings = new byte[600];
        read(target);
        assertEquals(List.of(1_000, 400), reads);
        verify(owner).headTooLong();
        assertEquals(0, read(target).length, "the rest is thrown away");
        verify(owner, times(1)).headTooLong();
    }

    @Test
    void endOfInputIsReportedOnceByTheChannel() throws IOException {
        when(socket.read(any(ByteBuffer.class))).thenReturn(-1);
        ByteBuffer target = ByteBuffer.allocate(2_000);
        assertEquals(0, read(target).length);
        assertEquals(0, read(target).length, "the library reads a key again that brought nothing");
        verify(socket, times(1)).read(any(ByteBuffer.class));
        verify(key).interestOps(0);
        verify(owner, times(1)).inputEnded();
    }

    @Test
    void failedReadEndsTheChannel() throws IOException {
        Error failure = new StackOverflowError("expected by the test");
        doThrow(failure).when(socket).read(any(ByteBuffer.class));
        ByteBuffer target = ByteBuffer.allocate(2_000);
        assertEquals(0, read(target).length);
        assertEquals(0, read(target).length);
        verify(socket, times(1)).read(any(ByteBuffer.class));
        verify(key).interestOps(0);
        verify(owner).failed(failure);
    }

    @Test
    void selectedKeysAreClearedWhenTheyAreMany() {
        Set<SelectionKey> selected = new HashSet<>();
        when(selector.selectedKeys()).thenReturn(selected);
        for (int i = 0; i < 16; i++) {
            selected.add(mock(SelectionKey.class));
        }
        assertFalse(channel.isNeedRead());
        selected.add(mock(SelectionKey.class));
        assertTrue(channel.isNeedRead());
        assertEquals(0, channel.readMore(ByteBuffer.allocate(10)));
        assertEquals(Set.of(), selected);
        clearInvocations(socket);
        assertFalse(channel.isNeedRead());
        verifyNoInteractions(socket);
    }

    /** Reads as {@link SocketChannelIOHelper} does. */
    private byte[] read(ByteBuffer target) {
        target.clear();
        int count = channel.read(target);
        target.flip();
        assertEquals(count, target.remaining());
        byte[] bytes = new byte[count];
        target.get(bytes);
        return bytes;
    }
}
