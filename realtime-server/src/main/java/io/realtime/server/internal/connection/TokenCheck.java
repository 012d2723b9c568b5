package io.realtime.server.internal.connection;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.server.Authentication;
import io.realtime.server.Credentials;
import io.realtime.server.internal.execution.Pool;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.spi.Scheduler;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The checks of one connection's tokens, one at a time: that of the handshake, and those of refreshed tokens. Guarded
 * by the connection's lock, which the methods take.
 */
final class TokenCheck {
    private final Peer peer;
    private final PeerAcceptor acceptor;
    private final ReentrantLock lock;

    @GuardedBy("lock")
    private boolean isChecking;

    // Of the newest check.
    @GuardedBy("lock")
    private Pool.@Nullable Ticket ticket;

    @GuardedBy("lock")
    private boolean isCancelled;

    /** @param lock the connection's */
    TokenCheck(Peer peer, PeerAcceptor acceptor, ReentrantLock lock) {
        this.peer = peer;
        this.acceptor = acceptor;
        this.lock = lock;
    }

    /**
     * Begins to check a token.
     *
     * @param isRefresh whether the check is refused with {@code timeout} when it takes longer than {@code
     *     limits.helloTimeout}. The first check has the deadline of the handshake
     * @param answer gets the authentication or the refusal; it is not called when the connection is gone before the
     *     authenticator was asked
     * @return false when another token is being checked
     */
    boolean begin(
            Credentials credentials,
            boolean isRefresh,
            BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer) {
        lock.lock();
        try {
            if (isChecking) {
                return false;
            }
            isChecking = true;
        } finally {
            lock.unlock();
        }
        Answer once = new Answer(answer);
        if (isRefresh) {
            once.setDeadline();
        }
        Pool.Ticket begun = acceptor.authentications().authenticate(credentials, peer::isClosing, once::give);
        boolean isTooLate;
        lock.lock();
        try {
            ticket = begun;
            isTooLate = isCancelled;
        } finally {
            lock.unlock();
        }
        if (isTooLate) {
            begun.cancel();
        }
        return true;
    }

    /** Withdraws a check that waits for a thread, and each later one, since the connection is closed. */
    void cancel() {
        Pool.Ticket waiting;
        lock.lock();
        try {
            isCancelled = true;
            waiting = ticket;
        } finally {
            lock.unlock();
        }
        if (waiting != null) {
            waiting.cancel();
        }
    }

    private void ended() {
        lock.lock();
        try {
            isChecking = false;
        } finally {
            lock.unlock();
        }
    }

    /** The answer to one check. It is given once. */
    private final class Answer {
        private final BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer;
        private final AtomicBoolean isGiven = new AtomicBoolean();
        // Set before the check begins.
        private Scheduler.Cancellable deadline = () -> {};

        Answer(BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer) {
            this.answer = answer;
        }

        void setDeadline() {
            SessionContext context = acceptor.context();
            RealtimeException late = new RealtimeException(ErrorCode.TIMEOUT, "not authenticated in time", true, null);
            deadline = context.scheduler()
                    .schedule(
                            context.limits().helloTimeout(),
                            () -> context.workers().execute(() -> give(null, late)));
        }

        void give(@Nullable Authentication proof, @Nullable RealtimeException refusal) {
            if (isGiven.compareAndSet(false, true)) {
                deadline.cancel();
                ended();
                answer.accept(proof, refusal);
            }
        }
    }
}
