package io.realtime.client;

import io.realtime.Position;
import java.util.Objects;

/**
 * Messages of a room that were missed for good: what the application knows of the room must be loaded again.
 *
 * @param room the room; {@code @user}, {@code @session} and {@code @all} stand for what is sent to this user, to this
 *     session, to everyone
 * @param position what follows is complete behind this place: whatever is loaded must hold everything up to it
 * @param reason why, in the protocol's words: {@code epoch} (the log is another one: the server restarted, the session is
 *     a new one), {@code trimmed} (no longer kept), {@code limit} (more than the server replays), {@code ahead} (the
 *     server has less than it had), {@code unauthorized} (the room is left, and nothing follows), {@code
 *     too_big} (the message at this place is longer than this client takes); {@link #OVERFLOW}; or
 *     {@link #USER_CHANGED}
 */
public record Gap(String room, Position position, String reason) {
    /** The {@link #reason} when more arrived during a {@link Reload} than is held back. */
    public static final String OVERFLOW = "overflow";

    /** The {@link #reason} when the server names another user than before: the room is left, and nothing follows. */
    public static final String USER_CHANGED = "user_changed";

    /** A gap; applications call this in tests of their own listeners. */
    public Gap {
        Objects.requireNonNull(room, "room");
        Objects.requireNonNull(position, "position");
        Objects.requireNonNull(reason, "reason");
    }
}
