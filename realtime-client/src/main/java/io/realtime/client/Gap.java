package io.realtime.client;

import io.realtime.Position;
import java.util.Objects;

/**
 * Messages of a room that were missed for good, so that the application must load the room's state again.
 *
 * @param room the room; {@code @user}, {@code @session} and {@code @all} stand for messages to this user, to this
 *     session, to everyone
 * @param position the position after which the messages are complete: the loaded state must hold everything up to it
 * @param reason why, in the protocol's words: {@code epoch} (the log is another one: the server restarted, or the
 *     session is a new one), {@code trimmed} (the log no longer has them), {@code purged} (the server deleted all
 *     messages), {@code limit} (more than the server replays), {@code ahead} (the server has less than it had), {@code
 *     unauthorized} (the room is left, and nothing follows), {@code too_big} (the message at this position is longer
 *     than this client accepts); {@link #OVERFLOW}; or {@link #USER_CHANGED}
 */
public record Gap(String room, Position position, String reason) {
    /** The {@link #reason} when more messages arrived during a {@link Reload} than are held back. */
    public static final String OVERFLOW = "overflow";

    /** The {@link #reason} when the server names another user than before: the room is left, and nothing follows. */
    public static final String USER_CHANGED = "user_changed";

    /** Creates a gap; applications call this in tests of their own listeners. */
    public Gap {
        Objects.requireNonNull(room, "room");
        Objects.requireNonNull(position, "position");
        Objects.requireNonNull(reason, "reason");
    }
}
