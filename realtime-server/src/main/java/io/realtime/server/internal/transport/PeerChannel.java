package io.realtime.server.internal.transport;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import io.realtime.server.websocket.OutboundQueue;
import io.realtime.server.websocket.RequestHead;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.CancelledKeyException;
import java.nio.channels.SelectionKey;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Iterator;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.java_websocket.WrappedByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * The socket of one connection, as the library sees it, and its bounded outbound queue, which the library does not see.
 * A thread that sends while no other thread is writing writes to the socket itself. What the socket does not accept
 * waits for the selector, which calls {@link #writeMore}. The library's own outbound queue is never used: it has no
 * bound and costs a selector hop per frame. It also resets the interest to reading after another thread has asked for
 * writing, and then replies are stuck (Java-WebSocket 1.6.0, {@code doWrite}).
 *
 * <p>The selector reads. Any thread may send, one at a time. The lock guards the outbound side and the key's interest.
 * No I/O and no call to other classes is made under it.
 *
 * <p>The socket is never closed while a thread is writing. In JDK 17 ({@code SocketChannelImpl.kill}; fixed in later
 * ones) a selector that finds the key cancelled frees the descriptor of a closing socket even then, and Java-WebSocket
 * 1.6.0 cancels the key before it closes the socket. The next accepted connection would get the same descriptor, and
 * the bytes of that write.
 */
// These fields are updated under the lock. Other threads read them without it, only for information.
@SuppressWarnings("NonAtomicVolatileUpdate")
final class PeerChannel implements WrappedByteChannel, OutboundQueue {
    private static final int WRITE_BYTES = 64 * 1024;
    private static final int WRITE_BUFFERS = 32;
    /** Buffers up to this size are joined before a write. */
    private static final int SMALL = 1024;

    private static final ByteBuffer[] NOTHING = {};
    /** How many writes one thread makes for the frames of other threads. Then it leaves the rest to the selector. */
    private static final int WRITES = 16;
    /** How many bytes are held until a flush, unless the bound is small. */
    private static final int HELD_BYTES = 16 * 1024;
    /** The selector's set of selected keys is cleared when it is larger than this. */
    private static final int SELECTED_KEYS = 16;

    /** Receives what the selector reads, and the events that end the connection. */
    interface Owner {
        /** Called when the head of the request is longer than allowed. */
        void headTooLong();

        /** Called when the peer has ended its output and everything that it sent was decoded. */
        void inputEnded();

        /** Called when the socket or this class failed. Nothing more is read or written. */
        void failed(Throwable cause);

        /** Called when nothing waits any more, after the queue was more than half full or refused data. */
        void drained();

        /** Called when everything was written. The connection ends here. */
        void finished();
    }

    private final SocketChannel socket;
    private final SelectionKey key;
    private final int bound;
    private final int held;
    private final Owner owner;

    // Used by the selector alone.
    // Null after it was read, or has become too long.
    private @Nullable RequestHead head;
    private boolean discarding;
    private boolean inputOver;
    // Bytes that came in the same read as the end of the head.
    private @Nullable ByteBuffer early;

    /** The number of reads that are not decoded yet, plus one while the peer may still send. */
    private final AtomicInteger undecoded = new AtomicInteger(1);

    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final ArrayDeque<ByteBuffer> queue = new ArrayDeque<>(2);
    // Bytes in the queue. Written under lock.
    private volatile long waiting;
    // The thread that empties the queue.
    @GuardedBy("lock")
    private @Nullable Thread writer;
    // The selector will empty the queue.
    @GuardedBy("lock")
    private boolean armed;
    // Bytes that were written after they had to wait for the peer. Written under lock.
    private volatile long taken;
    // True from a wait for the peer until nothing waits.
    @GuardedBy("lock")
    private boolean catchingUp;

    @GuardedBy("lock")
    private boolean owesDrained;
    // The last frame is queued.
    @GuardedBy("lock")
    private boolean sealed;

    @GuardedBy("lock")
    private boolean reading = true;
    // No further write begins.
    @GuardedBy("lock")
    private boolean closed;

    @GuardedBy("lock")
    private int interest = SelectionKey.OP_READ;

    @GuardedBy("lock")
    private Then then = Then.GO_ON;

    PeerChannel(SocketChannel socket, SelectionKey key, int headBytes, int bound, Owner owner) {
        this.socket = socket;
        this.key = key;
        this.head = new RequestHead(headBytes);
        this.bound = bound;
        this.held = Math.min(HELD_BYTES, bound / 4);
        this.owner = owner;
    }

    // ---- outbound

    @Override
    public boolean send(ByteBuffer data) {
        return offer(data, true, 0);
    }

    @Override
    public boolean queue(ByteBuffer data) {
        return offer(data, true, held);
    }

    @Override
    public void flush() {
        lock.lock();
        try {
            if (queue.isEmpty() || !takeTurn()) {
                return;
            }
        } finally {
            lock.unlock();
        }
        flush(null);
    }

    @Override
    public void control(ByteBuffer frame) {
        offer(frame, false, 0);
    }

    private boolean offer(ByteBuffer data, boolean isData, int hold) {
        ByteBuffer first;
        lock.lock();
        try {
            if (sealed || closed) {
                return false;
            }
            // A control frame is small, so it is queued whenever nothing waits.
            if (waiting + data.remaining() > bound && (isData || waiting > 0)) {
                owesDrained |= isData && waiting > 0;
                return false;
            }
            enqueue(data);
            owesDrained |= waiting > bound / 2;
            if (waiting <= hold || !takeTurn()) {
                return true;
            }
            first = queue.size() == 1 && data.remaining() <= WRITE_BYTES ? data.duplicate() : null;
        } finally {
            lock.unlock();
        }
        flush(first);
        return true;
    }

    @Override
    public void seal(ByteBuffer last, Then next) {
        lock.lock();
        try {
            if (sealed || closed) {
                return;
            }
            sealed = true;
            if (then != Then.FINISH) {
                // Otherwise finish was called first, because the peer was faster.
                then = next;
            }
            enqueue(last);
            if (!takeTurn()) {
                return;
            }
        } finally {
            lock.unlock();
        }
        flush(null);
    }

    @Override
    public boolean finish() {
        lock.lock();
        try {
            then = Then.FINISH;
            if (!sealed || closed) {
                return false;
            }
            if (!takeTurn()) {
                return true;
            }
        } finally {
            lock.unlock();
        }
        flush(null);
        return true;
    }

    @Override
    public long waiting() {
        return waiting;
    }

    @Override
    public long taken() {
        return taken;
    }

    @GuardedBy("lock")
    private void enqueue(ByteBuffer data) {
        if (data.hasRemaining()) {
            queue.add(data);
            waiting += data.remaining();
        }
    }

    @GuardedBy("lock")
    private boolean takeTurn() {
        if (writer != null || armed || closed) {
            return false;
        }
        writer = Thread.currentThread();
        return true;
    }

    /**
     * Writes what waits, as far as the socket accepts it. The caller has taken the turn.
     *
     * @param begin what to write first; null to take it from the queue
     */
    private void flush(@Nullable ByteBuffer begin) {
        try {
            ByteBuffer[] chunk = begin == null ? next(0) : new ByteBuffer[] {begin};
            for (int i = 1; chunk.length > 0; i++) {
                long wanted = 0;
                for (ByteBuffer part : chunk) {
                    wanted += part.remaining();
                }
                long written = chunk.length == 1 ? socket.write(chunk[0]) : socket.write(chunk);
                if (written < wanted || i == WRITES) {
                    leaveToSelector(written);
                    return;
                }
                chunk = next(written);
            }
        } catch (Throwable failure) {
            // The write may also fail for lack of memory.
            Steps.run(() -> owner.failed(failure), this::endWriting);
        }
    }

    /**
     * Ends writing after a failure, in the turn or just after it. Nothing may follow a frame of which a part may have
     * been written.
     */
    private void endWriting() {
        lock.lock();
        try {
            closed = true;
            if (Thread.currentThread().equals(writer)) {
                writer = null;
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Removes what was written and returns what to write next. If nothing waits, returns nothing and ends the turn.
     */
    private ByteBuffer[] next(long written) {
        Then next;
        boolean drained;
        lock.lock();
        try {
            remove(written);
            if (!queue.isEmpty()) {
                return chunk();
            }
            catchingUp = false;
            updateInterest();
            writer = null;
            drained = owesDrained && !sealed;
            owesDrained = false;
            next = closed || !sealed ? Then.GO_ON : then;
            if (sealed) {
                then = Then.GO_ON;
            }
        } finally {
            lock.unlock();
        }
        if (drained) {
            owner.drained();
        }
        if (next == Then.SHUT_OUTPUT) {
            shutOutput();
        } else if (next == Then.FINISH) {
            owner.finished();
        }
        return NOTHING;
    }

    private void shutOutput() {
        try {
            socket.shutdownOutput();
        } catch (IOException failure) {
            owner.failed(failure);
        }
    }

    @GuardedBy("lock")
    private ByteBuffer[] chunk() {
        int count = 0;
        int bytes = 0;
        for (ByteBuffer data : queue) {
            if (data.remaining() > SMALL || bytes + data.remaining() > WRITE_BYTES) {
                break;
            }
            bytes += data.remaining();
            count++;
        }
        return count > 1 ? joined(count, bytes) : views();
    }

    /**
     * Joins the first buffers of the queue. Otherwise the JDK would copy each to memory of its own, and limit how many
     * it writes at once.
     */
    @GuardedBy("lock")
    private ByteBuffer[] joined(int count, int bytes) {
        ByteBuffer all = ByteBuffer.allocate(bytes);
        Iterator<ByteBuffer> first = queue.iterator();
        for (int i = 0; i < count; i++) {
            all.put(first.next().duplicate());
        }
        return new ByteBuffer[] {all.flip()};
    }

    @GuardedBy("lock")
    private ByteBuffer[] views() {
        ByteBuffer[] chunk = new ByteBuffer[Math.min(queue.size(), WRITE_BUFFERS)];
        int count = 0;
        int bytes = 0;
        for (ByteBuffer data : queue) {
            if (count == chunk.length || bytes == WRITE_BYTES) {
                break;
            }
            // The JDK copies what it writes to memory that each thread keeps. So this is no more than a socket may
            // accept.
            int length = Math.min(data.remaining(), WRITE_BYTES - bytes);
            chunk[count++] = data.duplicate().limit(data.position() + length);
            bytes += length;
        }
        return count == chunk.length ? chunk : Arrays.copyOf(chunk, count);
    }

    @GuardedBy("lock")
    private void remove(long written) {
        if (catchingUp) {
            taken += written;
        }
        long left = written;
        while (left > 0 && !queue.isEmpty()) {
            ByteBuffer first = queue.remove();
            int taken = (int) Math.min(left, first.remaining());
            left -= taken;
            waiting -= taken;
            if (taken < first.remaining()) {
                // Others read the same buffer, so its position must not change.
                queue.addFirst(first.duplicate().position(first.position() + taken));
            }
        }
    }

    private void leaveToSelector(long written) {
        lock.lock();
        try {
            remove(written);
            armed = !closed;
            updateInterest();
            writer = null;
        } finally {
            lock.unlock();
        }
        key.selector().wakeup();
    }

    @GuardedBy("lock")
    private void updateInterest() {
        int wanted = (reading ? SelectionKey.OP_READ : 0) | (armed ? SelectionKey.OP_WRITE : 0);
        if (wanted != interest && !closed) {
            interest = wanted;
            try {
                key.interestOps(wanted);
            } catch (CancelledKeyException cut) {
                // The timer cancelled the key, and it informs the owner.
                closed = true;
            }
        }
    }

    /**
     * Always returns true, so that the library calls {@link #writeMore} and never changes the key's interest, which
     * belongs to this class. Java-WebSocket 1.6.0 would reset it to reading after another thread has asked for writing,
     * and replies would be stuck.
     */
    @Override
    public boolean isNeedWrite() {
        return true;
    }

    @Override
    public void writeMore() {
        lock.lock();
        try {
            if (!armed || writer != null || closed) {
                return;
            }
            armed = false;
            writer = Thread.currentThread();
            catchingUp = true;
        } finally {
            lock.unlock();
        }
        flush(null);
    }

    /** Always throws. The library writes only what we let it produce, which is nothing. */
    @Override
    public int write(ByteBuffer source) throws IOException {
        throw new IOException("nothing may overtake the connection's own queue");
    }

    // ---- inbound, on the selector

    /**
     * Reads for the library: first the whole head of the request in one piece, then what follows. Java-WebSocket 1.6.0
     * would parse an unfinished head again with each byte, without a bound, and keep a 64 KiB buffer while the
     * connection is open. The end of the input is not passed on: the library would drop what was read but not yet
     * decoded.
     */
    @Override
    public int read(ByteBuffer target) {
        if (inputOver) {
            // After a read that brought nothing the library leaves the key selected, and reads again.
            target.clear();
            return 0;
        }
        try {
            if (discarding) {
                discard(target);
                return 0;
            }
            RequestHead unread = head;
            if (unread != null) {
                return readHead(unread, target);
            }
            if (early != null) {
                // The library has not fetched these bytes yet.
                return takeEarly(target);
            }
            int count = socket.read(target);
            if (count > 0) {
                undecoded.incrementAndGet();
            } else if (count < 0) {
                endInput();
            }
            return Math.max(0, count);
        } catch (Throwable failure) {
            // In Java-WebSocket 1.6.0 an Error would end the selector.
            inputOver = true;
            Steps.run(this::stopReading, () -> owner.failed(failure));
            target.clear();
            return 0;
        }
    }

    private int readHead(RequestHead unread, ByteBuffer target) throws IOException {
        target.limit(Math.min(target.capacity(), unread.room()));
        int count = socket.read(target);
        target.flip();
        ByteBuffer whole = unread.read(target);
        if (whole != null) {
            head = null;
            early = target.hasRemaining()
                    ? ByteBuffer.allocate(target.remaining()).put(target).flip()
                    : null;
            target.clear().put(whole);
            return target.position();
        }
        target.clear();
        if (count < 0) {
            endInput();
        } else if (unread.room() == 0) {
            head = null;
            discarding = true;
            owner.headTooLong();
        }
        return 0;
    }

    private void discard(ByteBuffer target) throws IOException {
        int count = socket.read(target);
        target.clear();
        if (count < 0) {
            endInput();
        }
    }

    private void endInput() {
        inputOver = true;
        stopReading();
        decoded();
    }

    private void stopReading() {
        lock.lock();
        try {
            reading = false;
            updateInterest();
        } finally {
            lock.unlock();
        }
    }

    /** Records that the bytes of one read were decoded. */
    void decoded() {
        if (undecoded.decrementAndGet() == 0) {
            owner.inputEnded();
        }
    }

    /**
     * Returns true to make the library call {@link #readMore}, on the selector's thread but outside its iteration. That
     * call passes on what came with the head and clears the selected keys. Java-WebSocket 1.6.0 does not remove a key
     * from them after a write, so each wake-up would visit every connection that was ever written to.
     */
    @Override
    public boolean isNeedRead() {
        return early != null
                || (key.selector().isOpen() && key.selector().selectedKeys().size() > SELECTED_KEYS);
    }

    @Override
    public int readMore(ByteBuffer target) {
        if (key.selector().isOpen()) {
            // Keys that are still ready are selected again: readiness is level-triggered.
            key.selector().selectedKeys().clear();
        }
        return takeEarly(target);
    }

    private int takeEarly(ByteBuffer target) {
        ByteBuffer rest = early;
        if (rest == null) {
            return 0;
        }
        int before = rest.remaining();
        rest.get(target.array(), target.arrayOffset() + target.position(), Math.min(before, target.remaining()));
        int count = before - rest.remaining();
        target.position(target.position() + count);
        early = rest.hasRemaining() ? rest : null;
        undecoded.incrementAndGet();
        return count;
    }

    @Override
    public boolean isBlocking() {
        return false;
    }

    @Override
    public boolean isOpen() {
        return socket.isOpen();
    }

    /**
     * Closes the socket for the library, if no thread is writing. The owner learns of the end and makes sure that the
     * socket is closed.
     */
    @Override
    public void close() {
        boolean unused = tryClose();
    }

    /** Drops what waits, and closes the socket. Returns false while a thread is writing; call it again then. */
    boolean tryClose() {
        lock.lock();
        try {
            closed = true;
            queue.clear();
            waiting = 0;
            if (writer != null) {
                return false;
            }
        } finally {
            lock.unlock();
        }
        try {
            socket.close();
        } catch (IOException ignored) {
            // The peer is gone. Java-WebSocket 1.6.0 would log this as an error.
        }
        return true;
    }
}
