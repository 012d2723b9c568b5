package io.realtime.server.internal.session;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.internal.Steps;
import io.realtime.server.RoomListener;
import io.realtime.server.internal.execution.Mailbox;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What the application's {@link RoomListener} is still to be told of one session, in order. Whoever changes the rooms
 * adds an event under the session's lock, and {@linkplain #wake wakes} the mailbox without it. Events are told before
 * the next message is handled, so as many wait as one message and the application's own changes have caused.
 */
final class RoomEvents {
    private final @Nullable RoomListener listener;
    private final Mailbox mailbox;
    private final ReentrantLock lock;

    @GuardedBy("lock")
    private @Nullable Deque<Consumer<RoomListener>> untold;

    // The listener was told that the session is open.
    @GuardedBy("lock")
    private boolean isOpened;

    /**
     * @param listener null if nobody listens; then nothing is kept
     * @param lock the session's
     */
    RoomEvents(@Nullable RoomListener listener, Mailbox mailbox, ReentrantLock lock) {
        this.listener = listener;
        this.mailbox = mailbox;
        this.lock = lock;
    }

    /** Adds an event. The caller holds the lock. */
    @SuppressWarnings("GuardedBy")
    void add(Consumer<RoomListener> event) {
        assert lock.isHeldByCurrentThread();
        if (listener == null) {
            return;
        }
        if (untold == null) {
            untold = new ArrayDeque<>();
        }
        untold.add(event);
        if (isOpened) {
            mailbox.enqueueBeforeMessages(this::tellAll);
        }
    }

    /** Begins to tell events after {@code onOpen}, which is in the mailbox. The caller holds the lock. */
    void opened() {
        assert lock.isHeldByCurrentThread();
        if (listener != null) {
            mailbox.enqueue(this::begin);
        }
    }

    private void begin() {
        lock.lock();
        try {
            isOpened = true;
        } finally {
            lock.unlock();
        }
        tellAll();
    }

    /** Runs the tasks of the mailbox; called without the lock. */
    void wake() {
        if (listener != null) {
            mailbox.wake();
        }
    }

    /** Tells what is untold; in the mailbox. */
    void tellAll() {
        while (tellNext()) {
            // Until nothing is untold.
        }
    }

    private boolean tellNext() {
        Consumer<RoomListener> next;
        lock.lock();
        try {
            next = untold == null ? null : untold.poll();
            if (untold != null && untold.isEmpty()) {
                untold = null;
            }
        } finally {
            lock.unlock();
        }
        if (next != null) {
            tell(next);
        }
        return next != null;
    }

    /** Calls the listener; in the mailbox. A listener that throws is not called less often for that. */
    void tell(Consumer<RoomListener> event) {
        RoomListener told = listener;
        if (told != null) {
            Steps.run(() -> event.accept(told));
        }
    }
}
