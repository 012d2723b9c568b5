package io.realtime.client.internal.room;

import io.realtime.Position;
import io.realtime.internal.wire.EntryBudget;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The requests about rooms on one connection: {@code $join}, {@code $leave} and {@code $rejoin}, of which so many are in
 * flight as the server accepts. Owned by the scheduler's thread.
 */
final class RoomRequests {
    /** How many bytes {@code $rejoin} and its answer may need for a room, beside its name and its epoch. */
    private static final int WISH_BYTES = 96;

    private static final int ANSWER_BYTES = 200;

    /** How many bytes they need beside the rooms. */
    private static final int FRAME_BYTES = 128;

    private final Map<String, TrackedRoom> byRef = new HashMap<>();
    // Rooms whose next request waits, since too many are in flight.
    private final Set<TrackedRoom> waiting = new LinkedHashSet<>();
    // Rooms to join again, for which messages wait.
    private final Set<TrackedRoom> absent = new LinkedHashSet<>();
    // Rooms to join again after the welcome that no $rejoin has named yet.
    private final Set<TrackedRoom> returning = new LinkedHashSet<>();
    // Whether the server waits for the last $rejoin.
    private boolean owesLast;
    // One at a time, since it may be as long as the longest message.
    private @Nullable Rejoin rejoin;
    private int requestBytes;
    private int answerBytes;
    private int mostInFlight = 1;
    private Predicate<Outgoing> connection = RoomRequests::offline;
    private long lastRef;
    private final Presences presences;

    RoomRequests(Presences presences) {
        this.presences = presences;
    }

    /** An open request about many rooms. */
    private record Rejoin(String ref, List<TrackedRoom> rooms) {}

    private static boolean offline(Outgoing frame) {
        return false;
    }

    /**
     * Begins on a new connection.
     *
     * @param inflight how many messages and requests may be unacknowledged
     * @param longestRequest in bytes
     * @param longestAnswer in bytes
     */
    void welcomed(int inflight, int longestRequest, int longestAnswer, Predicate<Outgoing> newConnection) {
        waiting.clear();
        connection = newConnection;
        mostInFlight = Math.max(1, inflight / 2);
        requestBytes = longestRequest - FRAME_BYTES;
        answerBytes = longestAnswer - FRAME_BYTES;
    }

    /**
     * Joins rooms again after a welcome.
     *
     * @param isPartial whether the session is in more rooms than the welcome named
     */
    void joinAgain(List<TrackedRoom> rooms, boolean isPartial) {
        returning.addAll(rooms);
        for (TrackedRoom room : rooms) {
            if (room.joining.isEmpty()) {
                // If a caller waits, it learns whether the room was refused.
                absent.add(room);
            }
        }
        if (isPartial || returning.size() > 1) {
            owesLast = true;
        } else {
            returning.clear();
        }
    }

    void connectionLost(Collection<TrackedRoom> rooms) {
        connection = RoomRequests::offline;
        byRef.clear();
        waiting.clear();
        absent.clear();
        returning.clear();
        owesLast = false;
        rejoin = null;
        rooms.forEach(TrackedRoom::connectionLost);
    }

    /** Sends the next request that brings the room to the wanted state. One request about a room is open at a time. */
    void sync(TrackedRoom room) {
        if (room.isProtocols()) {
            return;
        }
        if (room.ref != null) {
            if (room.requested == TrackedRoom.Wish.LEFT && room.stays()) {
                // Joined again once it is left; messages to it wait for that.
                waiting.add(room);
            }
            return;
        }
        if (room.isToLeave()) {
            returning.remove(room);
            send(room, TrackedRoom.Wish.LEFT, Outgoing.of(Protocol.LEAVE));
        } else if (room.isToJoin() && !returning.contains(room)) {
            Protocol.Join join = presences.join(room.name, room.join());
            send(room, TrackedRoom.Wish.JOINED, Outgoing.of(Protocol.JOIN).data(join, Protocol.Join.class));
        }
    }

    private void send(TrackedRoom room, TrackedRoom.Wish wish, Outgoing frame) {
        String ref = nextRef();
        if (byRef.size() < mostInFlight && connection.test(frame.ref(ref).room(room.name))) {
            waiting.remove(room);
            sent(room, wish, ref);
            byRef.put(ref, room);
        } else {
            // Until the next answer, or until the connection is drained.
            waiting.add(room);
        }
    }

    private void sent(TrackedRoom room, TrackedRoom.Wish wish, String ref) {
        if (wish == TrackedRoom.Wish.LEFT) {
            absent.remove(room);
        }
        room.requested(wish, ref);
    }

    private String nextRef() {
        lastRef++;
        return "r" + lastRef;
    }

    /**
     * Sends one request for as many rooms as fit. After a restart of the server thousands of rooms may have to be
     * joined again.
     */
    void rejoin() {
        if (!owesLast || rejoin != null) {
            return;
        }
        EntryBudget request = new EntryBudget(requestBytes);
        EntryBudget answer = new EntryBudget(answerBytes);
        Map<String, Protocol.Join> wishes = new LinkedHashMap<>();
        List<TrackedRoom> named = new ArrayList<>();
        returning.removeIf(room -> !room.isToJoin());
        for (TrackedRoom room : returning) {
            Position position = room.position;
            int length = WISH_BYTES
                    + EntryBudget.length(presences.state(room.name))
                    + (position == null ? 0 : EntryBudget.length(position.epoch()));
            boolean fits = request.take(room.name, length);
            fits &= answer.take(room.name, ANSWER_BYTES);
            if (!fits && !named.isEmpty()) {
                break;
            }
            wishes.put(room.name, presences.join(room.name, room.join()));
            named.add(room);
        }
        boolean isLast = named.size() == returning.size();
        Protocol.RejoinRequest data = new Protocol.RejoinRequest(wishes, isLast ? true : null);
        String ref = nextRef();
        if (connection.test(Outgoing.of(Protocol.REJOIN).ref(ref).data(data, Protocol.RejoinRequest.class))) {
            named.forEach(room -> sent(room, TrackedRoom.Wish.JOINED, ref));
            returning.removeAll(named);
            owesLast = !isLast;
            // If the connection did not take it, this is tried again when the connection is drained.
            rejoin = new Rejoin(ref, named);
        }
    }

    /** Sends requests that waited, now that another one is answered. */
    void sendNext() {
        rejoin();
        while (byRef.size() < mostInFlight && !waiting.isEmpty()) {
            TrackedRoom next = waiting.iterator().next();
            waiting.remove(next);
            sync(next);
            if (waiting.contains(next)) {
                // The connection takes no more for now.
                return;
            }
        }
    }

    /** Removes the {@code $rejoin} that a frame answers; returns its rooms, or null if it answers none. */
    @Nullable
    List<TrackedRoom> takeRejoin(Envelope answer) {
        Rejoin open = rejoin;
        if (open == null || !open.ref.equals(answer.ref())) {
            return null;
        }
        rejoin = null;
        return open.rooms;
    }

    /** Removes the request about one room that a frame answers; returns the room, or null if it answers none. */
    @Nullable
    TrackedRoom take(Envelope answer) {
        return answer.ref() == null ? null : byRef.remove(answer.ref());
    }

    /** Ends the request about a room; returns what it asked for. */
    TrackedRoom.Wish answered(TrackedRoom room) {
        absent.remove(room);
        return room.answered();
    }

    /** Holds messages back until the room is joined again, although it was refused for now. */
    void refusedForNow(TrackedRoom room) {
        absent.add(room);
    }

    /** Ends the wait of messages for a room that the server put the session into. */
    void joinedByServer(TrackedRoom room) {
        absent.remove(room);
    }

    /** Returns true if a request about the room is still to be sent. */
    boolean isWaiting(TrackedRoom room) {
        return returning.contains(room) || waiting.contains(room);
    }

    /** Forgets what is to be sent about a room that is only to be left now. */
    void withdraw(TrackedRoom room) {
        waiting.remove(room);
        absent.remove(room);
    }

    /** Forgets a room, and any request about it. */
    void forget(TrackedRoom room) {
        withdraw(room);
        returning.remove(room);
        if (room.ref != null) {
            byRef.remove(room.ref);
            room.answered();
        }
    }

    /**
     * Returns how many requests the server has not answered yet; they count like messages that it has not processed.
     */
    int inFlight() {
        return byRef.size() + (rejoin == null ? 0 : 1);
    }

    /** Returns true if no message may be sent, since it may be for a room that the session is not in yet. */
    boolean holdsMessages() {
        return owesLast || !waiting.isEmpty() || !absent.isEmpty();
    }
}
