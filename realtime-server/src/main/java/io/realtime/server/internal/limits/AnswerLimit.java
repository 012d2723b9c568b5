package io.realtime.server.internal.limits;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The bound of the requests that are answered later. Those of a session that is over count for all sessions of its
 * user. So a client cannot have more of them by beginning one session after another. Safe for use by many threads.
 */
public final class AnswerLimit {
    // Added to a session's count when the session is over.
    private static final long OVER = 1L << 40;

    private final int most;
    // By user, without users that have 0.
    private final ConcurrentHashMap<String, Long> leftBehind = new ConcurrentHashMap<>();

    /** @param most how many may wait, of one session and of its user's sessions that are over */
    public AnswerLimit(int most) {
        this.most = most;
    }

    /** Returns the count of a new session of a user. */
    public Count of(String user) {
        return new Count(user);
    }

    private void leave(String user, long change) {
        leftBehind.merge(user, change, (before, more) -> before + more == 0 ? null : before + more);
    }

    /** The requests of one session that wait for their answers. */
    public final class Count {
        private final String user;
        private final AtomicLong waiting = new AtomicLong();

        private Count(String user) {
            this.user = user;
        }

        /**
         * Begins to answer a request later. {@link #end} ends it.
         *
         * @throws RealtimeException with {@code overloaded} when too many have begun
         */
        public void begin() {
            long mine = waiting.incrementAndGet();
            if (mine > OVER) {
                leave(user, 1);
                // leftBehind counts them already.
                mine = 0;
            }
            if (mine + leftBehind.getOrDefault(user, 0L) > most) {
                end();
                String why = most + " requests wait for their answers, as many as limits.requestsPerSession";
                throw new RealtimeException(ErrorCode.OVERLOADED, why, true, null);
            }
        }

        public void end() {
            if (waiting.decrementAndGet() >= OVER) {
                leave(user, -1);
            }
        }

        /** Notes that the session is over. Does nothing the second time. */
        public void over() {
            long left = waiting.getAndUpdate(count -> count < OVER ? count + OVER : count);
            if (left > 0 && left < OVER) {
                leave(user, left);
            }
        }
    }
}
