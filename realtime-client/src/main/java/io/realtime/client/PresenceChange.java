package io.realtime.client;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * How the presence of a room differs from what a listener was told before. Each session is in one of the lists at most.
 * While only counts are known the lists are empty; then {@code joined} has all members when they are known again.
 *
 * @param now the presence with these differences
 * @param joined members that are new
 * @param changed members whose connection, tags or state have changed, as they are now
 * @param left members that are no longer there, as they were before
 */
public record PresenceChange(Presence now, List<RoomMember> joined, List<RoomMember> changed, List<RoomMember> left) {
    /** Creates a change; applications call this in their tests. The lists are copied. */
    public PresenceChange {
        joined = Collections.unmodifiableList(new ArrayList<>(joined));
        changed = Collections.unmodifiableList(new ArrayList<>(changed));
        left = Collections.unmodifiableList(new ArrayList<>(left));
    }
}
