package io.realtime.client.internal.room;

import io.realtime.Position;
import io.realtime.internal.wire.EntryBudget;
import io.realtime.internal.wire.Protocol;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The positions in {@code $hello}.
 *
 * @param isPartial whether there are more than named
 */
public record HelloPositions(Map<String, Position> named, boolean isPartial) {
    /** Names no room. */
    public static final HelloPositions NONE = new HelloPositions(Collections.emptyMap(), true);

    /** How many bytes {@code $hello} may need for a room, beside its name and its epoch. */
    private static final int ROOM_BYTES = 64;

    /** How many bytes {@code $welcome} may need for a room, beside its name and its epoch. */
    private static final int STATE_BYTES = 120;

    /** How many bytes {@code $welcome} may need beside the application's rooms. */
    private static final int WELCOME_BYTES = 4 * 1024;

    /**
     * Returns the positions of the protocol's rooms, and as many others as fit.
     *
     * @param bytes how long they may be
     * @param answer how long the answer may be, {@code $welcome}
     */
    static HelloPositions of(Collection<TrackedRoom> rooms, int bytes, int answer) {
        Map<String, Position> named = new LinkedHashMap<>();
        EntryBudget mine = new EntryBudget(bytes);
        EntryBudget theirs = new EntryBudget(answer - WELCOME_BYTES);
        // The answer has no room for what is not asked for.
        boolean isPartial = answer < Protocol.MOST_HELLO_BYTES + WELCOME_BYTES;
        for (boolean protocols : new boolean[] {true, false}) {
            for (TrackedRoom room : rooms) {
                Position position = room.position;
                if (position != null && room.isProtocols() == protocols) {
                    int length = ROOM_BYTES + EntryBudget.length(position.epoch());
                    boolean fits = mine.take(room.name, length);
                    fits &= theirs.take(room.name, STATE_BYTES);
                    if (fits || protocols) {
                        named.put(room.name, position);
                    } else {
                        isPartial = true;
                    }
                }
            }
        }
        return new HelloPositions(named, isPartial);
    }
}
