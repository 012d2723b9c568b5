package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.internal.wire.EntryBudget;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
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

    /** What {@code $rejoin} and its answer may say of a room beside its name and the name of its log. */
    private static final int WISH_BYTES = 64;

    private static final int ANSWER_BYTES = 200;

    /** What they say beside the rooms, and {@code $welcome} beside the application's rooms. */
    private static final int FRAME_BYTES = 128;

    private static final int STATE_BYTES = 120;
    private static final int WELCOME_BYTES = 4 * 1024;

    /** Messages wait for a room that is refused for now, so often; then they leave, and the server says what it thinks. */
    private static final int MOST_REFUSALS = 10;

    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;
    private final LongPredicate isDone;
    private final Runnable retryLater;
    private final Set<TrackedRoom> staying = new LinkedHashSet<>(); // to be left once messages for them have arrived
    private final Map<String, TrackedRoom> rooms = new LinkedHashMap<>();
    private final Map<String, TrackedRoom> byRef = new HashMap<>();
    private final Set<TrackedRoom> unasked = new LinkedHashSet<>(); // too many questions are under way
    private final Set<TrackedRoom> absent = new LinkedHashSet<>(); // to be joined again, for which messages wait
    private final Set<TrackedRoom> returning =
            new LinkedHashSet<>(); // since the welcome, and $rejoin has not named them yet
    private boolean owesLast; // the server waits to hear that $rejoin has named all
    private @Nullable PendingRejoin rejoin; // one at a time: it may be as long as a message may be
    private int questionBytes;
    private int answerBytes;
    private int mostAsked = 1;
    private Predicate<Outgoing> connection = Rooms::offline;
    private long lastRef;

    /**
     * No rooms yet.
     *
     * @param isDone whether every message up to a number has had its fate
     * @param retryLater has {@link #retry} called after a while, unless the connection ends before
     */
    Rooms(CallbackDispatcher callbacks, Scheduler scheduler, LongPredicate isDone, Runnable retryLater) {
        this.callbacks = callbacks;
        this.scheduler = scheduler;
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

    private static final class TrackedRoom {
        final String name;
        final Waiters<JoinResult> joining;
        final Waiters<Void> leaving;
        Wish wish = Wish.NONE;
        long leaveBehind; // messages up to this number are sent before the room is left
        boolean joined;
        boolean firstTime = true;
        int history;

        @Nullable
        Position position;

        @Nullable
        String ref;

        Wish asked = Wish.NONE; // what ref asks for
        boolean namedPosition; // in what ref asks
        int refusals; // for now, of this connection

        TrackedRoom(String name, CallbackDispatcher callbacks) {
            this.name = name;
            this.joining = new Waiters<>(callbacks, "the same room");
            this.leaving = new Waiters<>(callbacks, "the same room");
        }
    }

    /** A question about many rooms that is under way. */
    private record PendingRejoin(String ref, List<TrackedRoom> rooms) {}

    // What the application wants

    /** @param timeout after which the caller waits no more; the room is joined all the same */
    void join(String name, int history, Duration timeout, CompletableFuture<JoinResult> result) {
        TrackedRoom room = room(name);
        room.wish = Wish.JOINED;
        room.history = history;
        room.leaving.complete(null); // it never left, or is on its way back
        room.joining.add(
                result,
                scheduler.schedule(
                        timeout,
                        () -> room.joining.fail(
                                result,
                                new RealtimeException(
                                        ErrorCode.TIMEOUT,
                                        "no answer to the join of room '" + name + "' within " + timeout,
                                        true,
                                        null))));
        sync(room);
    }

    /**
     * Leaves a room, behind what was sent to it: until these messages have had their fate the room stays joined, through
     * lost connections too.
     *
     * @param behind the number of the newest message that was sent before
     */
    void leave(String name, long behind, CompletableFuture<Void> result) {
        TrackedRoom room = room(name);
        if (room.wish == Wish.JOINED) {
            room.leaveBehind = behind;
        }
        room.wish = Wish.LEFT;
        room.leaving.add(result, ServerConnection.NOTHING);
        if (stays(room)) {
            staying.add(room);
        } else {
            goes(room);
        }
    }

    /** Messages have had their fate: leaves the rooms that waited for them. */
    void leaveWhatMay() {
        for (TrackedRoom room : staying.isEmpty() ? Collections.<TrackedRoom>emptySet() : new ArrayList<>(staying)) {
            if (!stays(room)) {
                staying.remove(room);
                unasked.remove(room);
                absent.remove(room);
                if (room.wish == Wish.LEFT) {
                    goes(room);
                }
            }
        }
    }

    private void goes(TrackedRoom room) {
        if (room.asked != Wish.JOINED) {
            failJoining(room);
        }
        sync(room);
    }

    private void failJoining(TrackedRoom room) {
        room.joining.fail(new RealtimeException(ErrorCode.CLOSED, "left before it was joined"));
    }

    private boolean stays(TrackedRoom room) {
        return room.wish == Wish.JOINED || (room.wish == Wish.LEFT && !isDone.test(room.leaveBehind));
    }

    /** Fails who waits; what is wanted stays so. */
    void fail(RealtimeException cause) {
        for (TrackedRoom room : rooms.values()) {
            failWaiting(room, cause);
        }
    }

    private void failWaiting(TrackedRoom room, RealtimeException cause) {
        room.joining.fail(cause);
        room.leaving.fail(cause);
    }

    /** All rooms and positions were another user's; there is no connection. */
    void forgetAll(RealtimeException cause) {
        for (TrackedRoom room : new ArrayList<>(rooms.values())) {
            failWaiting(room, cause);
            if (room.position != null) {
                callbacks.unauthorized(new Gap(room.name, room.position, Gap.USER_CHANGED));
            }
            forget(room.name);
        }
    }

    // Connections

    /** What {@code $hello} says of positions, and whether there are more. */
    record Positions(Map<String, Position> named, boolean isPartial) {}

    /**
     * Returns positions for {@code $hello}: those of the protocol's rooms, and of as many others as fit.
     *
     * @param bytes how long they may be
     * @param answer how long the answer may be, {@code $welcome}
     */
    Positions positions(int bytes, int answer) {
        Map<String, Position> named = new LinkedHashMap<>();
        EntryBudget mine = new EntryBudget(bytes);
        EntryBudget theirs = new EntryBudget(answer - WELCOME_BYTES);
        boolean isPartial =
                answer < Protocol.MOST_HELLO_BYTES + WELCOME_BYTES; // it would not hold what is not asked for
        for (boolean protocols : new boolean[] {true, false}) {
            for (TrackedRoom room : rooms.values()) {
                Position position = room.position;
                if (position != null && isProtocols(room) == protocols) {
                    int length = WISH_BYTES + EntryBudget.length(position.epoch());
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
        return new Positions(named, isPartial);
    }

    /**
     * Refuses what no server means.
     *
     * @throws RealtimeException when a place is incomplete, or there are too many
     */
    @SuppressWarnings("ConstantValue") // Gson leaves a missing component null, whatever its annotation
    static void check(Map<String, Protocol.RoomPosition> states) {
        if (states.size() > MOST_ROOMS) {
            throw new RealtimeException(ErrorCode.OVERLOADED, "more than " + MOST_ROOMS + " rooms");
        }
        for (Map.Entry<String, Protocol.RoomPosition> entry : states.entrySet()) {
            Protocol.RoomPosition state = entry.getValue();
            if (state == null || state.epoch() == null || state.offset() < 0) {
                throw noPlace(entry.getKey());
            }
        }
    }

    private static RealtimeException noPlace(String room) {
        return new RealtimeException(ErrorCode.BAD_DATA, "the server named no place in room '" + room + "'");
    }

    /**
     * The session is open: takes over where the server says it stands, and asks for what is missing.
     *
     * @param isPartial whether the session is in rooms that are not among the states
     * @param longestQuestion in bytes
     * @param longestAnswer in bytes
     */
    void welcomed(
            boolean resumed,
            Map<String, Protocol.RoomPosition> states,
            boolean isPartial,
            int inflight,
            int longestQuestion,
            int longestAnswer,
            Predicate<Outgoing> newConnection) {
        TrackedRoom inbox = resumed ? null : rooms.remove(Names.SESSION); // another session has another inbox
        for (Map.Entry<String, Protocol.RoomPosition> entry : states.entrySet()) {
            resumed(room(entry.getKey()), entry.getValue());
        }
        if (inbox != null && inbox.position != null) {
            lostInbox(states.get(Names.SESSION));
        }
        unasked.clear();
        connection = newConnection;
        mostAsked = Math.max(1, inflight / 2);
        questionBytes = longestQuestion - FRAME_BYTES;
        answerBytes = longestAnswer - FRAME_BYTES;
        for (TrackedRoom room : new ArrayList<>(rooms.values())) {
            if (!resumed && isToLeave(room) && !states.containsKey(room.name)) {
                left(room);
            } else if (isToJoin(room)) {
                returning.add(room);
                if (room.joining.isEmpty()) { // else its caller knows whether it was refused
                    absent.add(room);
                }
            }
        }
        if (isPartial || returning.size() > 1) {
            owesLast = true;
        } else {
            returning.clear();
        }
        retry();
    }

    /** The old session's inbox is gone with what it held. */
    private void lostInbox(Protocol.@Nullable RoomPosition state) {
        if (state == null) {
            callbacks.error(noPlace(Names.SESSION));
        } else if (!state.isLost()) { // else the application was told
            callbacks.gap(new Gap(Names.SESSION, new Position(state.epoch(), state.offset()), "epoch"));
        }
    }

    private void resumed(TrackedRoom room, Protocol.RoomPosition state) {
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
        absent.clear();
        returning.clear();
        owesLast = false;
        rejoin = null;
        for (TrackedRoom room : rooms.values()) {
            room.refusals = 0;
            room.ref = null;
            room.asked = Wish.NONE;
            room.joined = false;
        }
    }

    /** Asks again for what could not be asked, or was refused for now. */
    void retry() {
        rejoin();
        for (TrackedRoom room : new ArrayList<>(rooms.values())) {
            sync(room);
        }
    }

    /** Sends what brings the room nearer to what is wanted; one question about a room at a time. */
    private void sync(TrackedRoom room) {
        if (isProtocols(room)) {
            return;
        }
        if (room.ref != null) {
            if (room.asked == Wish.LEFT && stays(room)) {
                unasked.add(room); // once it is left; and what is sent to it waits for that
            }
            return;
        }
        if (isToLeave(room)) {
            returning.remove(room);
            ask(room, Wish.LEFT, Outgoing.of(Protocol.LEAVE));
        } else if (isToJoin(room) && !returning.contains(room)) {
            ask(room, Wish.JOINED, Outgoing.of(Protocol.JOIN).data(wish(room), Protocol.Join.class));
        }
    }

    private boolean isToLeave(TrackedRoom room) {
        return !isProtocols(room) && room.wish == Wish.LEFT && !stays(room); // whether anybody waits for it or not
    }

    private boolean isToJoin(TrackedRoom room) {
        return !isProtocols(room) && !isToLeave(room) && (!room.joining.isEmpty() || (stays(room) && !room.joined));
    }

    private static Protocol.Join wish(TrackedRoom room) {
        Integer history = room.firstTime && room.history > 0 ? room.history : null;
        return new Protocol.Join(room.position, history);
    }

    /** Asks in one question for as many rooms as fit: after a restart of the server none is left of thousands. */
    private void rejoin() {
        if (!owesLast || rejoin != null) {
            return;
        }
        EntryBudget question = new EntryBudget(questionBytes);
        EntryBudget answer = new EntryBudget(answerBytes);
        Map<String, Protocol.Join> wishes = new LinkedHashMap<>();
        List<TrackedRoom> asked = new ArrayList<>();
        returning.removeIf(room -> !isToJoin(room));
        for (TrackedRoom room : returning) {
            Position position = room.position;
            int length = WISH_BYTES + (position == null ? 0 : EntryBudget.length(position.epoch()));
            boolean fits = question.take(room.name, length);
            fits &= answer.take(room.name, ANSWER_BYTES);
            if (!fits && !asked.isEmpty()) {
                break;
            }
            wishes.put(room.name, wish(room));
            asked.add(room);
        }
        boolean isLast = asked.size() == returning.size();
        Protocol.RejoinRequest data = new Protocol.RejoinRequest(wishes, isLast ? true : null);
        String ref = nextRef();
        if (connection.test(Outgoing.of(Protocol.REJOIN).ref(ref).data(data, Protocol.RejoinRequest.class))) {
            asked.forEach(room -> asked(room, Wish.JOINED, ref));
            returning.removeAll(asked);
            owesLast = !isLast;
            rejoin = new PendingRejoin(ref, asked);
        } // else when the connection is drained
    }

    private String nextRef() {
        lastRef++;
        return "r" + lastRef;
    }

    private void asked(TrackedRoom room, Wish wish, String ref) {
        if (wish == Wish.LEFT) {
            absent.remove(room);
        }
        room.ref = ref;
        room.asked = wish;
        room.namedPosition = room.position != null;
    }

    private void ask(TrackedRoom room, Wish wish, Outgoing frame) {
        String ref = nextRef();
        if (byRef.size() < mostAsked && connection.test(frame.ref(ref).room(room.name))) {
            unasked.remove(room);
            asked(room, wish, ref);
            byRef.put(ref, room);
        } else {
            unasked.add(room); // until the next answer, or until the connection is drained
        }
    }

    // What the server says

    /** Takes an answer; false when it is about no question of a room. */
    boolean reply(Envelope answer) {
        PendingRejoin many = rejoin;
        if (many != null && many.ref.equals(answer.ref())) {
            rejoin = null;
            rejoined(many, answer);
            askNext();
            return true;
        }
        TrackedRoom room = answered(answer);
        if (room == null) {
            return false;
        }
        if (over(room) == Wish.LEFT) {
            left(room);
            sync(room);
        } else {
            try {
                joined(room, answer.data(Protocol.JoinReply.class));
            } catch (RealtimeException nonsense) {
                failWaiting(room, nonsense);
                askNext();
                throw nonsense;
            }
            sync(room);
        }
        askNext();
        return true;
    }

    @SuppressWarnings("ConstantValue") // Gson leaves a missing component null, whatever its annotation
    private void rejoined(PendingRejoin many, Envelope answer) {
        Protocol.RejoinReply data;
        try {
            data = answer.data(Protocol.RejoinReply.class);
        } catch (RealtimeException nonsense) {
            many.rooms.forEach(room -> refused(room, nonsense));
            return;
        }
        for (TrackedRoom room : many.rooms) {
            if (room.ref == null) {
                continue; // it was forgotten meanwhile
            }
            over(room);
            Protocol.Rejoined one = data.rooms() == null ? null : data.rooms().get(room.name);
            ErrorData error = one == null ? null : one.error();
            String epoch = one == null ? null : one.epoch();
            if (error != null) {
                failed(room, error.exception());
            } else if (one == null || epoch == null || one.offset() < 0) {
                refused(room, noPlace(room.name));
            } else {
                joined(room, new Protocol.JoinReply(epoch, one.offset(), one.recovered(), one.reason(), one.members()));
                sync(room);
            }
        }
    }

    /** Takes an error; false when it is about no question of a room. */
    boolean error(Envelope answer, RemoteException failure) {
        PendingRejoin many = rejoin;
        if (many != null && many.ref.equals(answer.ref())) {
            rejoin = null;
            for (TrackedRoom room : many.rooms) {
                if (room.ref != null) {
                    over(room);
                    failed(room, failure);
                }
            }
            askNext();
            return true;
        }
        TrackedRoom room = answered(answer);
        if (room == null) {
            return false;
        }
        if (over(room) == Wish.LEFT) {
            left(room); // whatever it was, nothing will be joined again
            sync(room);
        } else {
            failed(room, failure);
        }
        askNext();
        return true;
    }

    private void failed(TrackedRoom room, RemoteException failure) {
        if (room.joining.isEmpty() && failure.isRetryable()) {
            callbacks.error(failure);
            if (++room.refusals <= MOST_REFUSALS) {
                absent.add(room);
            }
            retryLater.run();
        } else {
            refused(room, failure);
        }
    }

    private @Nullable TrackedRoom answered(Envelope answer) {
        return answer.ref() == null ? null : byRef.remove(answer.ref());
    }

    /** The question about a room has its answer; returns what it asked for. */
    private Wish over(TrackedRoom room) {
        Wish asked = room.asked;
        absent.remove(room);
        room.ref = null;
        room.asked = Wish.NONE;
        return asked;
    }

    private void askNext() {
        rejoin();
        while (byRef.size() < mostAsked && !unasked.isEmpty()) {
            TrackedRoom next = unasked.iterator().next();
            unasked.remove(next);
            sync(next);
            if (unasked.contains(next)) { // the connection takes no more for now
                return;
            }
        }
    }

    /** Returns how many questions the server has not answered yet: they count like messages that it has not processed. */
    int asked() {
        return byRef.size() + (rejoin == null ? 0 : 1);
    }

    /** Returns whether no message may leave: it may be for a room that the session is to be in, and is not yet. */
    boolean holdsMessages() {
        return owesLast || !unasked.isEmpty() || !absent.isEmpty();
    }

    private void joined(TrackedRoom room, Protocol.JoinReply data) {
        Position own = room.position;
        room.joined = true;
        room.firstTime = false;
        room.refusals = 0;
        Position begin;
        if (own != null && !room.namedPosition && own.epoch().equals(data.epoch())) {
            begin = own; // $joined said it meanwhile, and what is behind it comes
        } else {
            boolean lost = own != null && !(room.namedPosition && data.recovered());
            begin = move(room, data.epoch(), data.offset(), lost, data.reason());
        }
        room.joining.complete(new JoinResult(begin, data.recovered(), data.reason(), data.members()));
    }

    private void refused(TrackedRoom room, RealtimeException failure) {
        if (room.joining.isEmpty()) { // it was joined before, or its caller has given up
            callbacks.error(failure);
        }
        out(room, failure);
    }

    /** The session is not in a room, and is not to be. */
    private void out(TrackedRoom room, RealtimeException why) {
        room.joining.fail(why);
        room.leaving.complete(null);
        forget(room.name);
    }

    private void left(TrackedRoom room) {
        if (stays(room)) { // joined again meanwhile
            room.joined = false;
            room.position = null;
            room.firstTime = true;
            callbacks.left(room.name);
            return;
        }
        room.leaving.complete(null);
        failJoining(room);
        forget(room.name);
    }

    /**
     * The server put the session into a room, or says that it is in it; what the application has asked for meanwhile comes
     * behind that. So while the room is being left nothing of it is for the application any more.
     */
    void put(String name, Protocol.RoomPosition place) {
        TrackedRoom room = room(name);
        if (room.asked == Wish.LEFT) {
            room.position = null;
            room.firstTime = true;
            return;
        }
        if (!isProtocols(room)) {
            room.wish = room.wish == Wish.NONE ? Wish.JOINED : room.wish;
            room.joined = true;
            room.firstTime = false;
            absent.remove(room);
        }
        Position own = room.position;
        boolean goesOn = own == null || (own.epoch().equals(place.epoch()) && own.offset() >= place.offset());
        move(room, place.epoch(), place.offset(), !goesOn, goesOn ? null : "epoch");
    }

    /** The server took the session out of a room; what the application has asked for meanwhile comes behind that. */
    void taken(String name) {
        TrackedRoom room = rooms.get(name);
        if (room == null || room.ref != null) {
            return;
        }
        if (returning.contains(room) || unasked.contains(room)) {
            room.joined = false;
            return;
        }
        out(room, new RealtimeException(ErrorCode.CLOSED, "the server took the session out of the room"));
    }

    /** The room's log broke. */
    void gap(String name, Protocol.GapNotice gap) {
        if (rooms.containsKey(name) || name.startsWith("@")) { // else it was left meanwhile, or never joined
            TrackedRoom room = room(name);
            Position own = room.position;
            if (own == null && room.firstTime && room.wish != Wish.NONE && !isProtocols(room)) {
                return; // the answer to its join says where it begins
            }
            boolean ahead = own != null && own.epoch().equals(gap.epoch()) && own.offset() > gap.offset();
            long offset = ahead && own != null ? own.offset() : gap.offset(); // what was handed over never comes again
            move(room, gap.epoch(), offset, true, gap.reason());
        }
    }

    /** Returns whether a frame is new to the application. */
    boolean isNew(Envelope frame) {
        TrackedRoom room = frame.room() == null || frame.offset() == 0 ? null : rooms.get(frame.room());
        if (room == null) { // one that was left, or never joined: what is in its log is of no use without its place
            return frame.room() == null || frame.offset() == 0;
        }
        if (room.position == null) { // its join is not answered: that says where it begins
            return false;
        }
        return frame.offset() > room.position.offset();
    }

    /** Notes the place of a frame that the application gets. */
    void passed(Envelope frame) {
        TrackedRoom room = frame.room() == null || frame.offset() == 0 ? null : rooms.get(frame.room());
        if (room != null && room.position != null && frame.offset() > room.position.offset()) {
            room.position = new Position(room.position.epoch(), frame.offset());
        }
    }

    /** Returns up to where a room's log is read; 0 where that is not known. */
    long offset(String name) {
        TrackedRoom room = rooms.get(name);
        return room == null || room.position == null ? 0 : room.position.offset();
    }

    /** Returns the epoch of a room's log, or null. */
    @Nullable
    String epoch(@Nullable String name) {
        TrackedRoom room = name == null ? null : rooms.get(name);
        return room == null || room.position == null ? null : room.position.epoch();
    }

    @SuppressWarnings("ConstantValue") // Gson leaves a missing component null, whatever its annotation
    private Position move(TrackedRoom room, String epoch, long offset, boolean lost, @Nullable String reason) {
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

    private TrackedRoom room(String name) {
        TrackedRoom room = rooms.get(name);
        if (room == null) {
            if (rooms.size() >= MOST_ROOMS) {
                throw new RealtimeException(ErrorCode.OVERLOADED, "more than " + MOST_ROOMS + " rooms");
            }
            room = new TrackedRoom(name, callbacks);
            rooms.put(name, room);
        }
        return room;
    }

    private void forget(String name) {
        TrackedRoom room = rooms.remove(name);
        if (room != null) {
            room.wish = Wish.NONE;
            staying.remove(room);
            unasked.remove(room);
            absent.remove(room);
            returning.remove(room);
            if (room.ref != null) {
                byRef.remove(room.ref);
                over(room);
            }
        }
        callbacks.left(name);
    }

    private static boolean isProtocols(TrackedRoom room) {
        return room.name.startsWith("@");
    }
}
