package io.realtime.server.internal.room;

import io.realtime.server.Room;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The tasks that applications run in rooms one at a time: {@link Room#serially}. There is one lock for each room in
 * use.
 */
public final class RoomTurns {
    private final ConcurrentHashMap<String, Turn> turns = new ConcurrentHashMap<>();
    private final ThreadLocal<String> held = new ThreadLocal<>();

    private static final class Turn {
        // Fair: in the order of arrival.
        final ReentrantLock lock = new ReentrantLock(true);
        // Changed only within the table's computations for its key.
        int users;
    }

    /** Runs a task after the tasks that came before it. */
    public <T extends @Nullable Object> T take(String room, Callable<T> task) throws Exception {
        String present = held.get();
        if (present != null) {
            throw new IllegalStateException(
                    "serially for room '" + room + "' within serially for room '" + present + "'");
        }
        Turn turn = enter(room);
        try {
            turn.lock.lockInterruptibly();
            held.set(room);
            try {
                return task.call();
            } finally {
                held.remove();
                turn.lock.unlock();
            }
        } finally {
            turns.computeIfPresent(room, (key, known) -> --known.users == 0 ? null : known);
        }
    }

    private Turn enter(String room) {
        return turns.compute(room, (key, known) -> {
            Turn turn = known == null ? new Turn() : known;
            turn.users++;
            return turn;
        });
    }

    /** Returns how many rooms are in use. */
    int size() {
        return turns.size();
    }
}
