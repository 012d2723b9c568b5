package io.realtime.netty;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.FastThreadLocal;
import io.netty.util.concurrent.Future;
import io.realtime.internal.Steps;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What waits for one peer, bounded by bytes. Anyone puts in; the connection's event loop takes out, one task for all
 * that was put in since the last and one flush for the task.
 *
 * <p>Only as much as the channel calls writable, 64 KiB, goes to Netty at a time; what is behind it stays here as views
 * of arrays that all receivers of a broadcast share. So a reader that has stopped costs its share of direct memory, not
 * its bound. A socket needs the bytes in direct memory: what many receivers of one event loop are sent is copied there
 * once, all else once per receiver, and the frames of a burst are joined on the way, so that they cost one entry in
 * Netty's queue and one TLS record.
 *
 * <p>The lock is a leaf: nothing is written or called under it.
 */
@SuppressWarnings("NonAtomicVolatileUpdate") // updated under the lock, read by those who only want to know
final class Outbound {
    private static final Logger LOG = LoggerFactory.getLogger(Outbound.class);
    private static final int CHUNK = 32 * 1024;

    /** How much is held for a flush, unless the bound is small. */
    private static final int HELD_BYTES = 16 * 1024;

    /** Up to here bytes are written in the order in which they came, beyond it connection by connection, a chunk at a time. */
    private static final int SHORT = 4 * 1024;

    /**
     * Those with much to write. Between two of their pieces the event loop does what else it has to do: so many who are
     * far behind hold up nobody who is not. The event loop's own.
     */
    private static final FastThreadLocal<ArrayDeque<Outbound>> LINE = new FastThreadLocal<>() {
        @Override
        protected ArrayDeque<Outbound> initialValue() {
            return new ArrayDeque<>();
        }
    };

    private static final FastThreadLocal<Broadcast> BROADCAST = new FastThreadLocal<>() {
        @Override
        protected Broadcast initialValue() {
            return new Broadcast();
        }

        @Override
        protected void onRemoval(Broadcast of) {
            of.forget();
        }
    };

    private static final Runnable NEXT_IN_LINE = Outbound::nextInLine;

    /** By which part of the bound the event loop may be behind before those who send should wait. */
    private static final int LAG = 8;

    /** Who is told, on the event loop. */
    interface Owner {
        /** Nothing waits any more, after it was said that much did. */
        void drained();

        /** All was written behind which the output ends; the connection ends with it, or waits for the peer to leave. */
        void written(Then then);

        /** Nothing more can be written. */
        void failed(Throwable cause);
    }

    /** What happens once all was written. */
    enum Then {
        GO_ON,
        SHUT_OUTPUT,
        FINISH
    }

    private final Channel channel;
    private final EventLoop loop;
    private final int bound;
    private final int held;
    private final Owner owner;
    private final Runnable write = this::write;

    private final ReentrantLock lock = new ReentrantLock();
    private ArrayDeque<ByteBuffer> queue = new ArrayDeque<>(2); // Guarded by lock
    private volatile long waiting; // Written under lock; bytes in the queue, taken from it, and in the channel
    private boolean scheduled; // Guarded by lock; the event loop will write, now or when the channel can take more
    private volatile long takenByPeer; // Written under lock; bytes that left after they had to wait for the peer
    private boolean owesDrained; // Guarded by lock
    private boolean sealed; // Guarded by lock; the last frame is queued
    private boolean closed; // Guarded by lock
    private Then then = Then.GO_ON; // Guarded by lock
    private volatile boolean blocked; // Written under lock; the peer does not read: on until the channel can take more
    private volatile List<Runnable> lagging =
            List.of(); // Written under lock; who waits until the event loop has caught up

    // The event loop's
    private ArrayDeque<ByteBuffer> taken = new ArrayDeque<>(2);
    private int done; // of the first that is taken: others read the same buffer

    Outbound(Channel channel, EventLoop loop, int bound, Owner owner) {
        this.channel = channel;
        this.loop = loop;
        this.bound = bound;
        this.held = Math.min(HELD_BYTES, bound / 4);
        this.owner = owner;
    }

    // ---- anyone

    /** Queues data; false, and nothing taken, when sealed or beyond the bound. */
    boolean send(ByteBuffer data) {
        return offer(data, true, 0);
    }

    /** Queues data for {@link #flush}, or for whatever is queued next; written at once when much waits. */
    boolean queue(ByteBuffer data) {
        return offer(data, true, held);
    }

    /** Has what was queued and is held written. */
    void flush() {
        lock.lock();
        try {
            if (queue.isEmpty() || closed || !takeTurn()) {
                return;
            }
        } finally {
            lock.unlock();
        }
        wake();
    }

    /** Queues a control frame, or drops it when the bound is reached: a peer that floods us with pings has its way. */
    void control(ByteBuffer frame) {
        offer(frame, false, 0);
    }

    private boolean offer(ByteBuffer data, boolean isData, int hold) {
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
        } finally {
            lock.unlock();
        }
        return wake();
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
        wake();
    }

    /** Has the connection end as soon as all is written. False when the last frame is not queued yet: then behind that. */
    boolean finish() {
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
        return wake();
    }

    /** Returns how many bytes wait. */
    long waiting() {
        return waiting;
    }

    /** Returns how many bytes have left that had to wait for the peer. */
    long taken() {
        return takenByPeer;
    }

    /** Returns whether the event loop, and not the peer, is behind; then the task is run once it has caught up. */
    boolean awaitWritable(Runnable caughtUp) {
        if (waiting <= bound / LAG) {
            return false;
        }
        lock.lock();
        try {
            if (waiting <= bound / LAG || !scheduled || blocked || closed) {
                return false;
            }
            lagging = lagging.isEmpty() ? new ArrayList<>(1) : lagging;
            return lagging.add(caughtUp);
        } finally {
            lock.unlock();
        }
    }

    private void enqueue(ByteBuffer data) { // Guarded by lock
        if (data.hasRemaining()) {
            queue.add(data);
            waiting += data.remaining();
        }
    }

    private boolean takeTurn() { // Guarded by lock
        if (scheduled) {
            return false;
        }
        scheduled = true;
        return true;
    }

    private boolean wake() {
        return execute(write);
    }

    private boolean execute(Runnable task) {
        try {
            loop.execute(task);
            return true;
        } catch (RejectedExecutionException stopped) { // with the loop every connection of it has ended
            LOG.debug("not sent, the transport has stopped: {}", channel);
            shut();
            return false;
        } catch (Throwable failure) { // out of memory, say: the loop will not come, and nobody may wait for it
            shut();
            throw failure;
        }
    }

    // ---- the event loop

    /** Writes what waits: at once when that is short, else when it is the turn of this connection. */
    private void write() {
        if (waiting <= SHORT) {
            writePiece();
            return;
        }
        ArrayDeque<Outbound> line = LINE.get();
        try {
            if (line.isEmpty()) { // first: behind one that waits for no task all others would wait for ever
                execute(NEXT_IN_LINE);
            }
            line.add(this);
        } catch (Throwable failure) { // out of memory, say: this connection's end
            owner.failed(failure);
        }
    }

    /** One piece, and then whatever else the event loop has to do; the next at once when that takes no more tasks. */
    private static void nextInLine() {
        ArrayDeque<Outbound> line = LINE.get();
        while (!line.isEmpty()) {
            Outbound first = line.remove();
            try {
                first.writePiece();
            } catch (Throwable failure) { // an error of one connection must not keep back the others
                Steps.log(LOG, "nothing more is written to " + first.channel, failure);
            }
            if (line.isEmpty() || first.leavesTheRest()) {
                return;
            }
        }
    }

    private boolean leavesTheRest() {
        try {
            loop.execute(NEXT_IN_LINE);
            return true;
        } catch (Throwable full) { // out of memory, say
            LOG.debug("the event loop took no task", full);
            return false;
        }
    }

    /** Writes of what waits at most a chunk, as far as the channel takes it. */
    private void writePiece() {
        try {
            int written = 0;
            while (written < CHUNK && channel.isWritable()) {
                ByteBuf chunk = next(CHUNK - written);
                if (chunk == null) {
                    flush(written > 0);
                    caughtUp(false);
                    return;
                }
                int length = chunk.readableBytes();
                channel.write(chunk).addListener(result -> written(length, result));
                written += length;
            }
            flush(written > 0);
            if (channel.isWritable()) {
                execute(write); // after the other connections
            } else {
                caughtUp(true);
            }
        } catch (Throwable failure) { // no direct memory, say: this connection's end, not the loop's
            owner.failed(failure);
        }
    }

    private void flush(boolean wrote) {
        if (wrote) {
            channel.flush();
        } else {
            settle(0);
        }
    }

    /** Nothing more can be written now; those who waited for that go on. */
    private void caughtUp(boolean peerIsSlow) {
        if (!peerIsSlow && !blocked && lagging.isEmpty()) {
            return; // who comes now finds that this loop is not scheduled
        }
        List<Runnable> waited;
        lock.lock();
        try {
            blocked = peerIsSlow;
            waited = lagging;
            lagging = List.of();
        } finally {
            lock.unlock();
        }
        Steps.each(waited, Runnable::run); // one room's must not keep back the others
    }

    /** The channel may take more again. */
    void writable() {
        lock.lock();
        try {
            if (!blocked) {
                return; // it is our own flush that calls
            }
            blocked = false;
        } finally {
            lock.unlock();
        }
        wake();
    }

    private @Nullable ByteBuf next(int most) {
        if (taken.isEmpty() && !take()) {
            return null;
        }
        ByteBuffer only = taken.element();
        if (taken.size() == 1 && done == 0 && only.remaining() <= most) {
            taken.remove();
            return BROADCAST.get().inDirectMemory(only, channel.alloc());
        }
        int length = -done;
        for (ByteBuffer data : taken) {
            length += data.remaining();
            if (length >= most) {
                length = most;
                break;
            }
        }
        ByteBuf chunk = channel.alloc().ioBuffer(length, length);
        while (chunk.isWritable()) {
            ByteBuffer rest = taken.element().duplicate();
            rest.position(rest.position() + done);
            int count = Math.min(chunk.writableBytes(), rest.remaining());
            done = count == rest.remaining() ? 0 : done + count;
            chunk.writeBytes(rest.limit(rest.position() + count));
            if (done == 0) {
                taken.remove();
            }
        }
        return chunk;
    }

    /** Takes what was queued; false, and the next to queue something wakes this loop again, when that is nothing. */
    private boolean take() {
        lock.lock();
        try {
            if (queue.isEmpty()) {
                scheduled = false;
                return false;
            }
            ArrayDeque<ByteBuffer> empty = taken;
            taken = queue;
            queue = empty;
            return true;
        } finally {
            lock.unlock();
        }
    }

    private void written(int length, Future<?> result) {
        if (result.isSuccess()) {
            settle(length);
        } else {
            owner.failed(result.cause());
        }
    }

    /** Notes what was written, and says what is to be said once nothing waits. */
    private void settle(int written) {
        boolean drained;
        Then next;
        lock.lock();
        try {
            if (closed) {
                return;
            }
            waiting -= written;
            if (blocked) {
                takenByPeer += written;
            }
            if (waiting > 0) {
                return;
            }
            drained = owesDrained && !sealed;
            owesDrained = false;
            next = sealed ? then : Then.GO_ON;
            if (sealed) {
                then = Then.GO_ON;
            }
        } finally {
            lock.unlock();
        }
        if (drained) {
            owner.drained();
        }
        if (next != Then.GO_ON) {
            owner.written(next);
        }
    }

    /** Forgets what waits, and takes no more. */
    void close() {
        taken.clear();
        shut();
    }

    private void shut() {
        lock.lock();
        try {
            closed = true;
            queue.clear();
            waiting = 0;
        } finally {
            lock.unlock();
        }
        caughtUp(false);
    }

    /**
     * What was written last, and in direct memory from its second receiver on, until something else is written: at most a
     * chunk. The event loop's own.
     */
    private static final class Broadcast {
        private @Nullable ByteBuffer last;
        private @Nullable ByteBuf direct;

        @SuppressWarnings("ReferenceEquality") // the same buffer: comparing bytes would cost what it is to save
        ByteBuf inDirectMemory(ByteBuffer data, ByteBufAllocator memory) {
            if (data != last) {
                forget();
                last = data;
                return copy(data, memory);
            }
            ByteBuf shared = direct;
            if (shared == null) {
                shared = copy(data, memory);
                direct = shared;
            }
            return shared.retainedDuplicate();
        }

        private static ByteBuf copy(ByteBuffer data, ByteBufAllocator memory) {
            int length = data.remaining();
            return memory.ioBuffer(length, length).writeBytes(data.duplicate());
        }

        void forget() {
            last = null;
            if (direct != null) {
                direct.release();
                direct = null;
            }
        }
    }
}
