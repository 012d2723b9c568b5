package io.realtime.server.javawebsocket;

import io.realtime.internal.Steps;
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
 * One connection's socket, as the library sees it, and its bounded outbound queue, which the library does not see.
 * Whoever sends and finds nobody writing writes to the socket; what the socket does not take waits for the selector,
 * which calls {@link #writeMore}. The library's own outbound queue is never used: it has no bound, costs a selector hop
 * a frame, and (Java-WebSocket 1.6.0, {@code doWrite}) resets the interest to reading after another thread has asked
 * for writing, after which replies are stuck.
 *
 * <p>The selector reads; anyone may send, one thread at a time. The lock guards the outbound side and the key's interest;
 * no I/O and no call outward is made under it.
 *
 * <p>The socket is never closed while a thread is in a write. In JDK 17 ({@code SocketChannelImpl.kill}; mended in later
 * ones) a selector that finds the key cancelled frees the descriptor of a closing socket all the same, and Java-WebSocket
 * 1.6.0 cancels the key before it closes. The next connection that is accepted gets the same descriptor, and with it the
 * bytes of that write.
 */
@SuppressWarnings("NonAtomicVolatileUpdate") // updated under the lock, read by those who only want to know
final class PeerChannel implements WrappedByteChannel {
    private static final int WRITE_BYTES = 64 * 1024;
    private static final int WRITE_BUFFERS = 32;
    /** Up to here several are joined before a write. */
    private static final int SMALL = 1024;

    private static final ByteBuffer[] NOTHING = {};
    /** How many writes one thread makes for others' frames before it leaves the rest to the selector. */
    private static final int WRITES = 16;
    /** How much is held for a flush, unless the bound is small. */
    private static final int HELD_BYTES = 16 * 1024;
    /** Above this many selected keys the selector cleans up. */
    private static final int SELECTED_KEYS = 16;

    /** What the selector reads and the ends of the connection are told to. */
    interface Owner {
        /** The head of the request is longer than allowed. */
        void headTooLong();

        /** The peer sends no more, and all that it sent was decoded. */
        void inputEnded();

        /** The socket failed, or we did: nothing more is read or written. */
        void failed(Throwable cause);

        /** Nothing waits any more, after it was said that much did. */
        void drained();

        /** All was written, and the connection ends here. */
        void finished();
    }

    /** What happens once all was written. */
    enum Then {
        GO_ON,
        SHUT_OUTPUT,
        FINISH
    }

    private final SocketChannel socket;
    private final SelectionKey key;
    private final int headBytes;
    private final int bound;
    private final int held;
    private final Owner owner;

    // The selector's
    private byte[] head = new byte[0];
    private int headLength;
    private boolean headRead;
    private boolean discarding;
    private boolean inputOver;
    private @Nullable ByteBuffer early; // what came in one read with the head

    /** One for each read that is not decoded yet, and one for the peer that may still send. */
    private final AtomicInteger undecoded = new AtomicInteger(1);

    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<ByteBuffer> queue = new ArrayDeque<>(2); // Guarded by lock
    private volatile long waiting; // Written under lock; bytes in the queue
    private @Nullable Thread writer; // Guarded by lock; it empties the queue
    private boolean armed; // Guarded by lock; the selector will empty the queue
    private volatile long taken; // Written under lock; bytes that left after they had to wait for the peer
    private boolean catchingUp; // Guarded by lock; from a wait for the peer until nothing waits
    private boolean owesDrained; // Guarded by lock
    private boolean sealed; // Guarded by lock; the last frame is queued
    private boolean reading = true; // Guarded by lock
    private boolean closed; // Guarded by lock; no write begins any more
    private int interest = SelectionKey.OP_READ; // Guarded by lock
    private Then then = Then.GO_ON; // Guarded by lock

    PeerChannel(SocketChannel socket, SelectionKey key, int headBytes, int bound, Owner owner) {
        this.socket = socket;
        this.key = key;
        this.headBytes = headBytes;
        this.bound = bound;
        this.held = Math.min(HELD_BYTES, bound / 4);
        this.owner = owner;
    }

    // ---- outbound

    /** Queues data; false, and nothing taken, when sealed or beyond the bound. */
    boolean send(ByteBuffer data) {
        return offer(data, true, 0);
    }

    /** Queues data for {@link #flush}, or for whatever is queued next; written at once when much waits. */
    boolean queue(ByteBuffer data) {
        return offer(data, true, held);
    }

    /** Writes what was queued and is held. */
    void flush() {
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

    /** Queues a control frame, or drops it when the bound is reached: a peer that floods us with pings has its way. */
    void control(ByteBuffer frame) {
        offer(frame, false, 0);
    }

    private boolean offer(ByteBuffer data, boolean isData, int hold) {
        ByteBuffer first;
        lock.lock();
        try {
            if (sealed || closed) {
                return false;
            }
            // A control frame is small: it goes whenever nothing waits.
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

    /** Queues the last bytes, whatever the bound; what is sent later is refused. Does nothing when sealed already. */
    void seal(ByteBuffer last, Then next) {
        lock.lock();
        try {
            if (sealed || closed) {
                return;
            }
            sealed = true;
            if (then != Then.FINISH) { // the peer was faster
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

    /** Ends the connection as soon as all is written, the last frame included, which may not be queued yet. */
    void finish() {
        lock.lock();
        try {
            then = Then.FINISH;
            if (!sealed || !takeTurn()) {
                return;
            }
        } finally {
            lock.unlock();
        }
        flush(null);
    }

    long waiting() {
        return waiting;
    }

    /** Returns how many bytes have left that had to wait for the peer. */
    long taken() {
        return taken;
    }

    private void enqueue(ByteBuffer data) { // Guarded by lock
        if (data.hasRemaining()) {
            queue.add(data);
            waiting += data.remaining();
        }
    }

    private boolean takeTurn() { // Guarded by lock
        if (writer != null || armed || closed) {
            return false;
        }
        writer = Thread.currentThread();
        return true;
    }

    /**
     * Writes what waits, as far as the socket takes it. The caller has taken the turn.
     *
     * @param begin what to begin with, when that is known
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
        } catch (Throwable failure) { // memory for the write may be short, too
            Steps.run(() -> owner.failed(failure), this::endWriting);
        }
    }

    /** After a failure, in the turn or just behind it: nothing may follow a frame of which a part may have left. */
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

    /** Notes what was written, and returns what to write next: nothing when nothing waits, and then the turn is over. */
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

    private ByteBuffer[] chunk() { // Guarded by lock
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

    /** Joins the first of the queue: the JDK would copy each to memory of its own, and write but so many at once. */
    private ByteBuffer[] joined(int count, int bytes) { // Guarded by lock
        ByteBuffer all = ByteBuffer.allocate(bytes);
        Iterator<ByteBuffer> first = queue.iterator();
        for (int i = 0; i < count; i++) {
            all.put(first.next().duplicate());
        }
        return new ByteBuffer[] {all.flip()};
    }

    private ByteBuffer[] views() { // Guarded by lock
        ByteBuffer[] chunk = new ByteBuffer[Math.min(queue.size(), WRITE_BUFFERS)];
        int count = 0;
        int bytes = 0;
        for (ByteBuffer data : queue) {
            if (count == chunk.length || bytes == WRITE_BYTES) {
                break;
            }
            // The JDK copies what it writes to memory that each thread keeps: no more than a socket may take.
            int length = Math.min(data.remaining(), WRITE_BYTES - bytes);
            chunk[count++] = data.duplicate().limit(data.position() + length);
            bytes += length;
        }
        return count == chunk.length ? chunk : Arrays.copyOf(chunk, count);
    }

    private void remove(long written) { // Guarded by lock
        if (catchingUp) {
            taken += written;
        }
        long left = written;
        while (left > 0 && !queue.isEmpty()) {
            ByteBuffer first = queue.remove();
            int taken = (int) Math.min(left, first.remaining());
            left -= taken;
            waiting -= taken;
            if (taken < first.remaining()) { // others read the same buffer: its position is not ours
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

    private void updateInterest() { // Guarded by lock
        int wanted = (reading ? SelectionKey.OP_READ : 0) | (armed ? SelectionKey.OP_WRITE : 0);
        if (wanted != interest && !closed) {
            interest = wanted;
            try {
                key.interestOps(wanted);
            } catch (CancelledKeyException cut) { // by the timer, which tells the owner
                closed = true;
            }
        }
    }

    /**
     * Always true, so that the library calls {@link #writeMore} and never touches the key's interest, which is ours:
     * Java-WebSocket 1.6.0 would reset it to reading after another thread asked for writing, and replies got stuck.
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

    /** The library writes only what we let it produce: nothing. */
    @Override
    public int write(ByteBuffer source) throws IOException {
        throw new IOException("nothing may overtake the connection's own queue");
    }

    // ---- inbound, on the selector

    /**
     * Reads for the library: first the whole head of the request in one piece, then whatever comes. Java-WebSocket
     * 1.6.0 would parse an unfinished head again with each byte, without a bound, and keep a 64 KiB buffer for the
     * connection's life. An end of input is not passed on: the library would drop what was read but not yet decoded.
     */
    @Override
    public int read(ByteBuffer target) {
        if (inputOver) { // the library leaves a key selected after a read that brought nothing, and reads again
            target.clear();
            return 0;
        }
        try {
            if (discarding) {
                discard(target);
                return 0;
            }
            if (!headRead) {
                return readHead(target);
            }
            if (early != null) { // the library has not come for it yet
                return takeEarly(target);
            }
            int count = socket.read(target);
            if (count > 0) {
                undecoded.incrementAndGet();
            } else if (count < 0) {
                endInput();
            }
            return Math.max(0, count);
        } catch (Throwable failure) { // Java-WebSocket 1.6.0: an Error would end the selector
            inputOver = true;
            Steps.run(this::stopReading, () -> owner.failed(failure));
            target.clear();
            return 0;
        }
    }

    private int readHead(ByteBuffer target) throws IOException {
        target.limit(Math.min(target.capacity(), headBytes - headLength));
        int count = socket.read(target);
        target.flip();
        if (count > 0) {
            int scanned = Math.max(0, headLength - 3);
            int length = headLength + count;
            if (length > head.length) {
                head = Arrays.copyOf(head, Math.min(headBytes, Math.max(length, 2 * head.length)));
            }
            target.get(head, headLength, count);
            headLength = length;
            int end = endOfHead(scanned);
            if (end > 0) {
                target.clear();
                target.put(head, 0, end);
                early = end < length ? ByteBuffer.wrap(Arrays.copyOfRange(head, end, length)) : null;
                headRead = true;
                head = new byte[0];
                return end;
            }
        } else if (count < 0) {
            endInput();
        }
        target.clear();
        if (headLength == headBytes) {
            head = new byte[0];
            discarding = true;
            owner.headTooLong();
        }
        return 0;
    }

    private int endOfHead(int from) {
        for (int i = from; i + 3 < headLength; i++) {
            if (head[i] == '\r' && head[i + 1] == '\n' && head[i + 2] == '\r' && head[i + 3] == '\n') {
                return i + 4;
            }
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

    /** A read was decoded. */
    void decoded() {
        if (undecoded.decrementAndGet() == 0) {
            owner.inputEnded();
        }
    }

    /**
     * True to have {@link #readMore} called, on the selector's thread but outside its iteration: to pass on what came
     * with the head, and to clean the selected keys. Java-WebSocket 1.6.0 does not remove a key from them after a
     * write, so that each wake-up visits every connection that was ever written to.
     */
    @Override
    public boolean isNeedRead() {
        return early != null
                || (key.selector().isOpen() && key.selector().selectedKeys().size() > SELECTED_KEYS);
    }

    @Override
    public int readMore(ByteBuffer target) {
        if (key.selector().isOpen()) {
            key.selector().selectedKeys().clear(); // what is still ready is selected again: readiness is by level
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

    /** For the library; the owner, who hears of it, sees to it that it happens. */
    @Override
    public void close() {
        boolean unused = tryClose();
    }

    /** Forgets what waits, and closes the socket; false, and to be tried again, while a thread is in a write. */
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
            // Java-WebSocket 1.6.0 would log it as an error, for a peer that is gone
        }
        return true;
    }
}
