package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Frames;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.LongPredicate;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Which rooms the application wants to be in, how far it has come in the log of each, and what has been asked of the
 * server about them. Survives connections. Owned by the scheduler's thread.
 */
final class Rooms {
    /** A server that puts a session into more rooms than this does not mean it. */
    private static final int MOST_ROOMS = 100_000;

    private final Callbacks callbacks;
    private final LongPredicate isDone;
    private final Runnable retryLater;
    private final Set<Room> staying = new LinkedHashSet<>(); // to be left once messages for them have arrived
    private final Map<String, Room> rooms = new LinkedHashMap<>();
    private final Map<String, Room> byRef = new HashMap<>();
    private final Set<Room> unasked = new LinkedHashSet<>(); // too many questions are under way
    private int mostAsked = 1;
    private Predicate<Outgoing> connection = Rooms::offline;
    private long lastRef;

    /**
     * No rooms yet.
     *
     * @param isDone whether every message up to a number has had its fate
     * @param retryLater has {@link #retry} called after a while, unless the connection ends before
     */
    Rooms(Callbacks callbacks, LongPredicate isDone, Runnable retryLater) {
        this.callbacks = callbacks;
        this.isDone = isDone;
        this.retryLater = retryLater;
    }

    private static boolean offline(Outgoing frame) {
        return false;
    }

    /** Whether the room is joined, or should be. */
    private enum Wish {
        NONE,
        JOINED,
        LEFT
    }

    private static final class Room {
        final String name;
        Wish wish = Wish.NONE;
        long leaveBehind; // messages up to this number are sent before the room is left
        boolean joined;
        boolean firstTime = true;
        int history;

        @Nullable
        Position position;

        @Nullable
        CompletableFuture<JoinResult> joining;

        @Nullable
        CompletableFuture<Void> leaving;

        @Nullable
        String ref;

        Wish asked = Wish.NONE; // what ref asks for

        Room(String name) {
            this.name = name;
        }
    }

    // What the application wants

    void join(String name, int history, CompletableFuture<JoinResult> result) {
        Room room = room(name);
        room.wish = Wish.JOINED;
        room.history = history;
        if (room.leaving != null) { // it never left, or is on its way back
            callbacks.completeVoid(room.leaving);
            room.leaving = null;
        }
        if (room.joining == null) {
            room.joining = result;
        } else {
            follow(room.joining, result);
        }
        sync(room);
    }

    /**
     * Leaves a room, behind what was sent to it: until these messages have had their fate the room stays joined, through
     * lost connections too.
     *
     * @param behind the number of the newest message that was sent before
     */
    void leave(String name, long behind, CompletableFuture<Void> result) {
        Room room = room(name);
        if (room.wish == Wish.JOINED) {
            room.leaveBehind = behind;
        }
        room.wish = Wish.LEFT;
        if (room.leaving == null) {
            room.leaving = result;
        } else {
            follow(room.leaving, result);
        }
        if (stays(room)) {
            staying.add(room);
        } else {
            goes(room);
        }
    }

    /** Messages have had their fate: leaves the rooms that waited for them. */
    void leaveWhatMay() {
        for (Room room : staying.isEmpty() ? Collections.<Room>emptySet() : new ArrayList<>(staying)) {
            if (!stays(room)) {
                staying.remove(room);
                unasked.remove(room);
                if (room.wish == Wish.LEFT) {
                    goes(room);
                }
            }
        }
    }

    private void goes(Room room) {
        if (room.asked != Wish.JOINED) {
            failJoining(room);
        }
        sync(room);
    }

    private void failJoining(Room room) {
        if (room.joining != null) {
            callbacks.fail(room.joining, new RealtimeException(ErrorCode.CLOSED, "left before it was joined"));
            room.joining = null;
        }
    }

    private boolean stays(Room room) {
        return room.wish == Wish.JOINED || (room.wish == Wish.LEFT && !isDone.test(room.leaveBehind));
    }

    private static <V> void follow(CompletableFuture<V> first, CompletableFuture<V> second) {
        CompletableFuture<V> unused = first.whenComplete((value, failure) -> {
            if (failure != null) {
                second.completeExceptionally(failure);
            } else {
                second.complete(value);
            }
        });
    }

    /** Fails who waits; what is wanted stays so. */
    void fail(RealtimeException cause) {
        for (Room room : rooms.values()) {
            failWaiting(room, cause);
        }
    }

    private void failWaiting(Room room, RealtimeException cause) {
        if (room.joining != null) {
            callbacks.fail(room.joining, cause);
            room.joining = null;
        }
        if (room.leaving != null) {
            callbacks.fail(room.leaving, cause);
            room.leaving = null;
        }
    }

    /** All rooms and positions were another user's; there is no connection. */
    void forgetAll(RealtimeException cause) {
        for (Room room : new ArrayList<>(rooms.values())) {
            failWaiting(room, cause);
            if (room.position != null) {
                callbacks.unauthorized(new Gap(room.name, room.position, Gap.USER_CHANGED));
            }
            forget(room.name);
        }
    }

    // Connections

    /** Returns all positions, for {@code $hello}. */
    Map<String, Position> positions() {
        Map<String, Position> positions = new LinkedHashMap<>();
        for (Room room : rooms.values()) {
            if (room.position != null) {
                positions.put(room.name, room.position);
            }
        }
        return positions;
    }

    /**
     * Refuses what no server means.
     *
     * @throws RealtimeException when a place is incomplete, or there are too many
     */
    @SuppressWarnings("ConstantValue") // Gson leaves a missing component null, whatever its annotation
    static void check(Map<String, Frames.RoomState> states) {
        if (states.size() > MOST_ROOMS) {
            throw new RealtimeException(ErrorCode.OVERLOADED, "more than " + MOST_ROOMS + " rooms");
        }
        for (Map.Entry<String, Frames.RoomState> entry : states.entrySet()) {
            Frames.RoomState state = entry.getValue();
            if (state == null || state.epoch() == null || state.offset() < 0) {
                throw noPlace(entry.getKey());
            }
        }
    }

    private static RealtimeException noPlace(String room) {
        return new RealtimeException(ErrorCode.BAD_DATA, "the server named no place in room '" + room + "'");
    }

    /** The session is open: takes over where the server says it stands, and asks for what is missing. */
    void welcomed(
            boolean resumed, Map<String, Frames.RoomState> states, int inflight, Predicate<Outgoing> newConnection) {
        Room inbox = resumed ? null : rooms.remove(Names.SESSION); // another session has another inbox
        for (Map.Entry<String, Frames.RoomState> entry : states.entrySet()) {
            resumed(room(entry.getKey()), entry.getValue());
        }
        if (inbox != null && inbox.position != null) {
            lostInbox(states.get(Names.SESSION));
        }
        unasked.clear();
        connection = newConnection;
        mostAsked = Math.max(1, inflight / 2);
        for (Room room : new ArrayList<>(rooms.values())) {
            if (!resumed && room.wish == Wish.LEFT && !stays(room) && room.asked == Wish.NONE) {
                left(room);
            } else {
                sync(room);
            }
        }
    }

    /** The old session's inbox is gone with what it held. */
    private void lostInbox(Frames.@Nullable RoomState state) {
        if (state == null) {
            callbacks.error(noPlace(Names.SESSION));
        } else if (!state.isLost()) { // else the application was told
            callbacks.gap(new Gap(Names.SESSION, new Position(state.epoch(), state.offset()), "epoch"));
        }
    }

    private void resumed(Room room, Frames.RoomState state) {
        boolean lost = state.isLost();
        if (!isProtocols(room)) {
            if (lost && "unauthorized".equals(state.reason())) {
                Position last = room.position == null ? new Position(state.epoch(), state.offset()) : room.position;
                callbacks.unauthorized(new Gap(room.name, last, "unauthorized"));
                refused(room, new RealtimeException(ErrorCode.FORBIDDEN, "room '" + room.name + "' is forbidden now"));
                return;
            }
            if (room.wish != Wish.NONE && room.firstTime) {
                return; // the answer to its join was lost: it is asked again, and says where the room begins
            }
            room.joined = true;
            room.firstTime = false;
            if (room.wish == Wish.NONE) {
                room.wish = Wish.JOINED; // the server put it there
            }
        }
        move(room, state.epoch(), state.offset(), lost, state.reason());
    }

    void connectionLost() {
        connection = Rooms::offline;
        byRef.clear();
        unasked.clear();
        for (Room room : rooms.values()) {
            room.ref = null;
            room.asked = Wish.NONE;
            room.joined = false;
        }
    }

    /** Asks again for what could not be asked, or was refused for now. */
    void retry() {
        for (Room room : new ArrayList<>(rooms.values())) {
            sync(room);
        }
    }

    /** Sends what brings the room nearer to what is wanted; one question about a room at a time. */
    private void sync(Room room) {
        if (isProtocols(room)) {
            return;
        }
        if (room.ref != null) {
            if (room.asked == Wish.LEFT && stays(room)) {
                unasked.add(room); // once it is left; and what is sent to it waits for that
            }
            return;
        }
        if (room.leaving != null && !stays(room)) {
            ask(room, Wish.LEFT, Outgoing.of(Frames.LEAVE));
        } else if (room.joining != null || (stays(room) && !room.joined)) {
            Integer history = room.firstTime && room.history > 0 ? room.history : null;
            Frames.Join data = new Frames.Join(room.position, history);
            ask(room, Wish.JOINED, Outgoing.of(Frames.JOIN).data(data, Frames.Join.class));
        }
    }

    private void ask(Room room, Wish wish, Outgoing frame) {
        lastRef++;
        String ref = "r" + lastRef;
        if (byRef.size() < mostAsked && connection.test(frame.ref(ref).room(room.name))) {
            unasked.remove(room);
            room.ref = ref;
            room.asked = wish;
            byRef.put(ref, room);
        } else {
            unasked.add(room); // until the next answer, or until the connection is drained
        }
    }

    // What the server says

    /** Takes an answer; false when it is about no question of a room. */
    boolean reply(Envelope answer) {
        Room room = answered(answer);
        if (room == null) {
            return false;
        }
        Wish asked = room.asked;
        room.asked = Wish.NONE;
        if (asked == Wish.LEFT) {
            left(room);
        } else {
            try {
                joined(room, answer);
            } catch (RealtimeException nonsense) {
                failWaiting(room, nonsense);
                askNext();
                throw nonsense;
            }
        }
        sync(room);
        askNext();
        return true;
    }

    /** Takes an error; false when it is about no question of a room. */
    boolean error(Envelope answer, RemoteException failure) {
        Room room = answered(answer);
        if (room == null) {
            return false;
        }
        Wish asked = room.asked;
        room.asked = Wish.NONE;
        if (asked == Wish.LEFT) {
            left(room); // whatever it was, nothing will be joined again
            sync(room);
        } else if (room.joining == null && failure.isRetryable()) {
            callbacks.error(failure);
            retryLater.run();
        } else {
            refused(room, failure);
        }
        askNext();
        return true;
    }

    private @Nullable Room answered(Envelope answer) {
        Room room = answer.ref() == null ? null : byRef.remove(answer.ref());
        if (room != null) {
            room.ref = null;
        }
        return room;
    }

    private void askNext() {
        while (byRef.size() < mostAsked && !unasked.isEmpty()) {
            Room next = unasked.iterator().next();
            unasked.remove(next);
            sync(next);
            if (unasked.contains(next)) { // the connection takes no more for now
                return;
            }
        }
    }

    /**
     * Returns how many questions the server has not answered yet: they count like messages that it has not processed. None
     * may be sent while a question waits to be asked, since it may be for that room.
     */
    int asked() {
        return unasked.isEmpty() ? byRef.size() : Integer.MAX_VALUE;
    }

    private void joined(Room room, Envelope answer) {
        Frames.Joined data = answer.data(Frames.Joined.class);
        boolean asReturning = room.position != null;
        room.joined = true;
        room.firstTime = false;
        Position begin = move(room, data.epoch(), data.offset(), asReturning && !data.recovered(), data.reason());
        if (room.joining != null) {
            callbacks.complete(room.joining, new JoinResult(begin, data.recovered(), data.reason(), data.members()));
            room.joining = null;
        }
    }

    private void refused(Room room, RealtimeException failure) {
        if (room.joining == null) { // nobody waits: it was joined before
            callbacks.error(failure);
        }
        failWaiting(room, failure);
        forget(room.name);
    }

    private void left(Room room) {
        if (stays(room)) { // joined again meanwhile
            room.joined = false;
            room.position = null;
            room.firstTime = true;
            callbacks.left(room.name);
            return;
        }
        if (room.leaving != null) {
            callbacks.completeVoid(room.leaving);
            room.leaving = null;
        }
        failJoining(room);
        forget(room.name);
    }

    /** The server put the session into a room. */
    void put(String name, Frames.RoomState place) {
        Room room = room(name);
        if (!isProtocols(room)) {
            room.wish = Wish.JOINED;
            room.joined = true;
            room.firstTime = false;
        }
        Position own = room.position;
        boolean goesOn = own == null || (own.epoch().equals(place.epoch()) && own.offset() >= place.offset());
        move(room, place.epoch(), place.offset(), !goesOn, goesOn ? null : "epoch");
    }

    /** The server took the session out of a room. */
    void taken(String name) {
        Room room = rooms.get(name);
        if (room != null && room.ref == null) {
            failWaiting(room, new RealtimeException(ErrorCode.CLOSED, "the server took the session out of the room"));
            forget(name);
        }
    }

    /** The room's log broke. */
    void gap(String name, Frames.Gap gap) {
        if (rooms.containsKey(name) || name.startsWith("@")) { // else it was left meanwhile, or never joined
            move(room(name), gap.epoch(), gap.offset(), true, gap.reason());
        }
    }

    /** Returns whether a frame is new to the application, and notes its place. */
    boolean accept(Envelope frame) {
        Room room = frame.room() == null || frame.offset() == 0 ? null : rooms.get(frame.room());
        if (room == null) { // one that was left, or never joined: what is in its log is of no use without its place
            return frame.room() == null || frame.offset() == 0;
        }
        if (room.position == null) { // its join is not answered: that says where it begins
            return false;
        }
        if (frame.offset() <= room.position.offset()) {
            return false;
        }
        room.position = new Position(room.position.epoch(), frame.offset());
        return true;
    }

    /** Returns up to where a room's log is read; 0 where that is not known. */
    long offset(String name) {
        Room room = rooms.get(name);
        return room == null || room.position == null ? 0 : room.position.offset();
    }

    /** Returns the epoch of a room's log, or null. */
    @Nullable
    String epoch(@Nullable String name) {
        Room room = name == null ? null : rooms.get(name);
        return room == null || room.position == null ? null : room.position.epoch();
    }

    @SuppressWarnings("ConstantValue") // Gson leaves a missing component null, whatever its annotation
    private Position move(Room room, String epoch, long offset, boolean lost, @Nullable String reason) {
        if (epoch == null || offset < 0) {
            throw noPlace(room.name);
        }
        Position own = room.position;
        boolean ahead = !lost && own != null && own.epoch().equals(epoch) && own.offset() > offset;
        Position moved = ahead && own != null ? own : new Position(epoch, offset);
        room.position = moved;
        if (lost) {
            callbacks.gap(new Gap(room.name, moved, reason == null ? "unknown" : reason));
        }
        return moved;
    }

    private Room room(String name) {
        Room room = rooms.get(name);
        if (room == null) {
            if (rooms.size() >= MOST_ROOMS) {
                throw new RealtimeException(ErrorCode.OVERLOADED, "more than " + MOST_ROOMS + " rooms");
            }
            room = new Room(name);
            rooms.put(name, room);
        }
        return room;
    }

    private void forget(String name) {
        Room room = rooms.remove(name);
        staying.remove(room);
        if (room != null && room.ref != null) {
            byRef.remove(room.ref);
        }
        callbacks.left(name);
    }

    private static boolean isProtocols(Room room) {
        return room.name.startsWith("@");
    }
}
