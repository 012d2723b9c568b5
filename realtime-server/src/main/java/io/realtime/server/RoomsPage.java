package io.realtime.server;

import java.util.List;

/**
 * A part of the list of rooms: see {@link ConnectionManager#rooms}. The name of the last room is the {@code after} of the
 * next page.
 *
 * @param rooms the rooms, sorted by name; immutable
 * @param more whether there were more rooms after these
 */
public record RoomsPage(List<RoomSummary> rooms, boolean more) {
    /** The most rooms of a page. */
    public static final int MOST = 1000;

    /** Creates a page; an application calls this in a test of its own code. */
    public RoomsPage {
        rooms = List.copyOf(rooms);
    }
}
