package io.realtime.server.internal.room;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.util.concurrent.ConcurrentHashMap;

/**
 * How many rooms the sessions of each user are in together, without inboxes and {@code @all}. Safe for use by many
 * threads.
 */
final class RoomsPerUser {
    private final int most;
    // Bounded by the members of rooms.
    private final ConcurrentHashMap<String, Integer> ofUser = new ConcurrentHashMap<>();

    RoomsPerUser(int most) {
        this.most = most;
    }

    /**
     * Counts one more room of a user.
     *
     * @throws RealtimeException with {@code overloaded} if that is too many; then it is not counted
     */
    void enter(String user) {
        if (ofUser.merge(user, 1, Integer::sum) > most) {
            leave(user);
            throw new RealtimeException(
                    ErrorCode.OVERLOADED,
                    "the user's sessions are in " + most + " rooms together, as limits.roomsPerUser allows",
                    true,
                    null);
        }
    }

    void leave(String user) {
        ofUser.computeIfPresent(user, (name, count) -> count == 1 ? null : count - 1);
    }
}
