package io.realtime.netty;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.FastThreadLocal;
import io.netty.util.concurrent.Future;
import io.realtime.internal.Steps;
import io.realtime.server.websocket.OutboundQueue;
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
 * The outbound data that waits for one peer, bounded by bytes. Any thread adds to it. The connection's event loop takes
 * from it: one task for all data that was added since the last task, and one flush for each task.
 *
 * <p>At a time, Netty gets only as much as the channel calls writable, 64 KiB. The rest stays here, as views of arrays
 * that all receivers of a broadcast share. So a reader that has stopped uses its share of direct memory, not its whole
 * bound. A socket needs the bytes in direct memory. What many receivers on one event loop are sent is copied there
 * once; all else is copied once per receiver. The frames of a burst are joined in that copy, so that they use one entry
 * in Netty's queue and one TLS record.
 *
 * <p>The lock is a leaf: while it is held, nothing is written and no other code is called.
 */
// updated under the lock; read without it where an approximate value is enough
@SuppressWarnings("NonAtomicVolatileUpdate")
final class Outbound implements OutboundQueue {
    private static final Logger LOG = LoggerFactory.getLogger(Outbound.class);
    private static final int CHUNK = 32 * 1024;

    /** How many bytes are deferred until a flush, unless the bound is small. */
    private static final int HELD_BYTES = 16 * 1024;

    /**
     * Up to this many bytes are written in the order of arrival. More are written connection by connection, one chunk
     * at a time.
     */
    private static final int SHORT = 4 * 1024;

    /**
     * The connections with much to write. Between two of their chunks the event loop does its other work, so that many
     * slow connections do not delay the others. Used on the event loop.
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

    /** The fraction of the bound, as a divisor, by which the event loop may be behind before senders should wait. */
    private static final int LAG = 8;

    /** The owner of this outbound data; called on the event loop. */
    interface Owner {
        /** Handles the end of a backlog that was reported before. */
        void drained();

        /**
         * Handles that the last frame was written, after which the output ends. Then the connection ends too, or waits
         * for the peer to disconnect.
         */
        void written(Then then);

        /** Handles a failure after which nothing more can be written. */
        void failed(Throwable cause);
    }

    private final Channel channel;
    private final EventLoop loop;
    private final int bound;
    private final int held;
    private final Owner owner;
    private final Runnable write = this::write;

    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private ArrayDeque<ByteBuffer> queue = new ArrayDeque<>(2);
    // Written under lock: the bytes in the queue, taken from it, and in the channel.
    private volatile long waiting;
    // The event loop will write, now or when the channel is writable again.
    @GuardedBy("lock")
    private boolean scheduled;
    // Written under lock: the bytes that were written after they had to wait for the peer.
    private volatile long takenByPeer;

    @GuardedBy("lock")
    private boolean owesDrained;
    // The last frame is queued.
    @GuardedBy("lock")
    private boolean sealed;

    @GuardedBy("lock")
    private boolean closed;

    @GuardedBy("lock")
    private Then then = Then.GO_ON;
    // Written under lock: true while the peer does not read, until the channel is writable again.
    private volatile boolean blocked;
    private volatile List<Runnable> lagging = List.of(); // written under lock: run when the event loop has caught up

    // Used on the event loop.
    private ArrayDeque<ByteBuffer> taken = new ArrayDeque<>(2);
    // How many bytes of the first taken buffer were written. Others read the same buffer, so its position must not
    // move.
    private int done;

    Outbound(Channel channel, EventLoop loop, int bound, Owner owner) {
        this.channel = channel;
        this.loop = loop;
        this.bound = bound;
        this.held = Math.min(HELD_BYTES, bound / 4);
        this.owner = owner;
    }

    // ---- any thread

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
            if (queue.isEmpty() || closed || !takeTurn()) {
                return;
            }
        } finally {
            lock.unlock();
        }
        wake();
    }

    @Override
    public void control(ByteBuffer frame) {
        offer(frame, false, 0);
    }

    private boolean offer(ByteBuffer data, boolean isData, int hold) {
        lock.lock();
        try {
            if (sealed || closed) {
                return false;
            }
            // A control frame is small: it is queued whenever nothing waits.
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

    @Override
    public void seal(ByteBuffer last, Then next) {
        lock.lock();
        try {
            if (sealed || closed) {
                return;
            }
            sealed = true;
            if (then != Then.FINISH) { // else the peer was faster
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
        return wake();
    }

    @Override
    public long waiting() {
        return waiting;
    }

    @Override
    public long taken() {
        return takenByPeer;
    }

    @Override
    public boolean awaitWritable(Runnable caughtUp) {
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

    @GuardedBy("lock")
    private void enqueue(ByteBuffer data) {
        if (data.hasRemaining()) {
            queue.add(data);
            waiting += data.remaining();
        }
    }

    @GuardedBy("lock")
    private boolean takeTurn() {
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
        } catch (RejectedExecutionException stopped) {
            // All connections of the loop have ended with it.
            LOG.debug("not sent, the transport has stopped: {}", channel);
            shut();
            return false;
        } catch (Throwable failure) {
            // For example out of memory: the loop will not write, so no sender may wait for it.
            shut();
            throw failure;
        }
    }

    // ---- the event loop

    /** Writes the waiting data: immediately if it is short, else when this connection has its turn. */
    private void write() {
        if (waiting <= SHORT) {
            writePiece();
            return;
        }
        ArrayDeque<Outbound> line = LINE.get();
        try {
            // First the task: if it were rejected after this was added, all later connections would wait forever.
            if (line.isEmpty()) {
                execute(NEXT_IN_LINE);
            }
            line.add(this);
        } catch (Throwable failure) {
            // For example out of memory: this connection ends.
            owner.failed(failure);
        }
    }

    /**
     * Writes one chunk; then the event loop does its other work. If the loop accepts no task, the next connection's
     * chunk follows immediately.
     */
    private static void nextInLine() {
        ArrayDeque<Outbound> line = LINE.get();
        while (!line.isEmpty()) {
            Outbound first = line.remove();
            try {
                first.writePiece();
            } catch (Throwable failure) {
                // An Error of one connection must not stop the others.
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
        } catch (Throwable full) { // for example, out of memory
            LOG.debug("the event loop took no task", full);
            return false;
        }
    }

    /** Writes at most a chunk of the waiting data, as far as the channel is writable. */
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
        } catch (Throwable failure) {
            // For example no direct memory: this connection ends, not the loop.
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

    /** Runs the tasks that waited until nothing more can be written. */
    private void caughtUp(boolean peerIsSlow) {
        if (!peerIsSlow && !blocked && lagging.isEmpty()) {
            // A caller that comes now sees that this loop is not scheduled.
            return;
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
        Steps.each(waited, Runnable::run); // one room's task must not stop the others
    }

    /** Handles that the channel is writable again. */
    void writable() {
        lock.lock();
        try {
            if (!blocked) {
                return; // called by our own flush
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

    /**
     * Takes the queued data. If there is none, returns false, and the next caller that queues something wakes this
     * loop.
     */
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

    /** Records what was written, and notifies the owner once nothing waits. */
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

    /** Discards the waiting data, and refuses more. */
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
     * The buffer that was written last, until another one is written; at most a chunk. From its second receiver on it
     * is in direct memory. Used on the event loop.
     */
    private static final class Broadcast {
        private @Nullable ByteBuffer last;
        private @Nullable ByteBuf direct;

        @SuppressWarnings("ReferenceEquality") // compares identity: comparing bytes would cost what it saves
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
