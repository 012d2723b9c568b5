package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
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
 * The rooms that the application wants to be in, the position in the log of each, and the open requests about them.
 * Survives connections. Owned by the scheduler's thread.
 */
final class Rooms {
    /** The bound on rooms; a server that puts a session into more has a fault. */
    private static final int MOST_ROOMS = 100_000;

    /** How many bytes {@code $rejoin} and its answer may need for a room, beside its name and its epoch. */
    private static final int WISH_BYTES = 64;

    private static final int ANSWER_BYTES = 200;

    /** How many bytes they need beside the rooms, and {@code $welcome} beside the application's rooms. */
    private static final int FRAME_BYTES = 128;

    private static final int STATE_BYTES = 120;
    private static final int WELCOME_BYTES = 4 * 1024;

    /**
     * How often a room may be refused for now while messages wait for it. After that the messages are sent, and the
     * server decides.
     */
    private static final int MOST_REFUSALS = 10;

    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;
    private final LongPredicate isDone;
    private final Runnable retryLater;
    // Rooms to leave once messages for them are processed.
    private final Set<TrackedRoom> staying = new LinkedHashSet<>();
    private final Map<String, TrackedRoom> rooms = new LinkedHashMap<>();
    private final Map<String, TrackedRoom> byRef = new HashMap<>();
    // Rooms whose next request waits, since too many are in flight.
    private final Set<TrackedRoom> unasked = new LinkedHashSet<>();
    // Rooms to join again, for which messages wait.
    private final Set<TrackedRoom> absent = new LinkedHashSet<>();
    // Rooms to join again after the welcome that no $rejoin has named yet.
    private final Set<TrackedRoom> returning = new LinkedHashSet<>();
    // Whether the server waits for the last $rejoin.
    private boolean owesLast;
    // One at a time, since it may be as long as the longest message.
    private @Nullable PendingRejoin rejoin;
    private int questionBytes;
    private int answerBytes;
    private int mostAsked = 1;
    private Predicate<Outgoing> connection = Rooms::offline;
    private long lastRef;

    /**
     * @param isDone returns whether every message up to a number has its outcome
     * @param retryLater schedules a call of {@link #retry}, unless the connection ends before
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

    /** Whether the application wants to be in the room. */
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
        // Messages up to this number are sent before the room is left.
        long leaveBehind;
        boolean joined;
        boolean firstTime = true;
        int history;

        @Nullable
        Position position;

        @Nullable
        String ref;

        // What the request ref asks for.
        Wish asked = Wish.NONE;
        // Whether the request ref names the position.
        boolean namedPosition;
        // How often the room was refused for now on this connection.
        int refusals;

        TrackedRoom(String name, CallbackDispatcher callbacks) {
            this.name = name;
            this.joining = new Waiters<>(callbacks, "the same room");
            this.leaving = new Waiters<>(callbacks, "the same room");
        }
    }

    /** An open request about many rooms. */
    private record PendingRejoin(String ref, List<TrackedRoom> rooms) {}

    // What the application wants

    /** @param timeout how long the caller waits; the room is joined also after that */
    void join(String name, int history, Duration timeout, CompletableFuture<JoinResult> result) {
        TrackedRoom room = room(name);
        room.wish = Wish.JOINED;
        room.history = history;
        // It was never left, or is joined again.
        room.leaving.complete(null);
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
     * Leaves a room after the messages that were sent to it. Until these have their outcome the room stays joined,
     * through lost connections too.
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

    /** Leaves the rooms that waited for messages which now have their outcome. */
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

    /** Fails the futures of joins and leaves; the rooms are still wanted or not wanted. */
    void fail(RealtimeException cause) {
        for (TrackedRoom room : rooms.values()) {
            failWaiting(room, cause);
        }
    }

    private void failWaiting(TrackedRoom room, RealtimeException cause) {
        room.joining.fail(cause);
        room.leaving.fail(cause);
    }

    /** Forgets all rooms and positions, which belonged to another user; there is no connection. */
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

    /**
     * The positions in {@code $hello}.
     *
     * @param isPartial whether there are more than named
     */
    record Positions(Map<String, Position> named, boolean isPartial) {}

    /**
     * Returns positions for {@code $hello}: those of the protocol's rooms, and as many others as fit.
     *
     * @param bytes how long they may be
     * @param answer how long the answer may be, {@code $welcome}
     */
    Positions positions(int bytes, int answer) {
        Map<String, Position> named = new LinkedHashMap<>();
        EntryBudget mine = new EntryBudget(bytes);
        EntryBudget theirs = new EntryBudget(answer - WELCOME_BYTES);
        // The answer has no room for what is not asked for.
        boolean isPartial = answer < Protocol.MOST_HELLO_BYTES + WELCOME_BYTES;
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
     * Checks the positions that a server sent.
     *
     * @throws RealtimeException when a position is incomplete, or there are too many
     */
    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
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
        return new PayloadException("the server named no place in room '" + room + "'");
    }

    /**
     * Handles an open session: takes over the server's positions, and asks for what is missing.
     *
     * @param isPartial whether the session is in more rooms than the states name
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
        // Another session has another inbox.
        TrackedRoom inbox = resumed ? null : rooms.remove(Names.SESSION);
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
                if (room.joining.isEmpty()) {
                    // If a caller waits, it learns whether the room was refused.
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

    /** Reports that the old session's inbox is gone with its messages. */
    private void lostInbox(Protocol.@Nullable RoomPosition state) {
        if (state == null) {
            callbacks.error(noPlace(Names.SESSION));
        } else if (!state.isLost()) {
            // If the position is lost, it was already reported.
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
                // The answer to its join was lost. The join is sent again, and its answer says where the room begins.
                return;
            }
            room.joined = true;
            room.firstTime = false;
            if (room.wish == Wish.NONE) {
                // The server put the session there.
                room.wish = Wish.JOINED;
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

    /** Sends again the requests that could not be sent, or were refused for now. */
    void retry() {
        rejoin();
        for (TrackedRoom room : new ArrayList<>(rooms.values())) {
            sync(room);
        }
    }

    /** Sends the next request that brings the room to the wanted state. One request about a room is open at a time. */
    private void sync(TrackedRoom room) {
        if (isProtocols(room)) {
            return;
        }
        if (room.ref != null) {
            if (room.asked == Wish.LEFT && stays(room)) {
                // Joined again once it is left; messages to it wait for that.
                unasked.add(room);
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
        // Also if no future waits for it.
        return !isProtocols(room) && room.wish == Wish.LEFT && !stays(room);
    }

    private boolean isToJoin(TrackedRoom room) {
        return !isProtocols(room) && !isToLeave(room) && (!room.joining.isEmpty() || (stays(room) && !room.joined));
    }

    private static Protocol.Join wish(TrackedRoom room) {
        Integer history = room.firstTime && room.history > 0 ? room.history : null;
        return new Protocol.Join(room.position, history);
    }

    /**
     * Sends one request for as many rooms as fit. After a restart of the server thousands of rooms may have to be
     * joined again.
     */
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
            // If the connection did not take it, this is tried again when the connection is drained.
            rejoin = new PendingRejoin(ref, asked);
        }
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
            // Until the next answer, or until the connection is drained.
            unasked.add(room);
        }
    }

    // Answers and notices of the server

    /** Handles an answer. Returns false if it answers no request about a room. */
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

    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
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
                // The room was forgotten meanwhile.
                continue;
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

    /** Handles an error. Returns false if it answers no request about a room. */
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
            // The room is not joined again, whatever the error is.
            left(room);
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

    /** Ends the request about a room; returns what it asked for. */
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
            if (unasked.contains(next)) {
                // The connection takes no more for now.
                return;
            }
        }
    }

    /**
     * Returns how many requests the server has not answered yet; they count like messages that it has not processed.
     */
    int asked() {
        return byRef.size() + (rejoin == null ? 0 : 1);
    }

    /** Returns true if no message may be sent, since it may be for a room that the session is not in yet. */
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
            // $joined named the position meanwhile, and later messages follow.
            begin = own;
        } else {
            boolean lost = own != null && !(room.namedPosition && data.recovered());
            begin = move(room, data.epoch(), data.offset(), lost, data.reason());
        }
        room.joining.complete(new JoinResult(begin, data.recovered(), data.reason(), data.members()));
    }

    private void refused(TrackedRoom room, RealtimeException failure) {
        if (room.joining.isEmpty()) {
            // It was joined before, or its caller has given up.
            callbacks.error(failure);
        }
        out(room, failure);
    }

    /** Forgets a room that the session is not in and is not to join. */
    private void out(TrackedRoom room, RealtimeException why) {
        room.joining.fail(why);
        room.leaving.complete(null);
        forget(room.name);
    }

    private void left(TrackedRoom room) {
        if (stays(room)) {
            // It was joined again meanwhile.
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
     * Handles {@code $joined}: the server put the session into a room, or says that it is in it. What the application
     * asked for meanwhile comes after that. So while the room is being left, nothing of it is for the application.
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

    /**
     * Handles {@code $left}: the server removed the session from a room. What the application asked for meanwhile comes
     * after that.
     */
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

    /** Handles a gap in a room's log. */
    void gap(String name, Protocol.GapNotice gap) {
        if (rooms.containsKey(name) || name.startsWith("@")) {
            // Otherwise it was left meanwhile, or never joined.
            TrackedRoom room = room(name);
            Position own = room.position;
            if (own == null && room.firstTime && room.wish != Wish.NONE && !isProtocols(room)) {
                // The answer to its join says where it begins.
                return;
            }
            boolean ahead = own != null && own.epoch().equals(gap.epoch()) && own.offset() > gap.offset();
            // Messages that were handed over never come again.
            long offset = ahead && own != null ? own.offset() : gap.offset();
            move(room, gap.epoch(), offset, true, gap.reason());
        }
    }

    /** Returns true if a frame is new to the application. */
    boolean isNew(Envelope frame) {
        TrackedRoom room = frame.room() == null || frame.offset() == 0 ? null : rooms.get(frame.room());
        if (room == null) {
            // The room was left or never joined: messages of its log are of no use without a position.
            return frame.room() == null || frame.offset() == 0;
        }
        if (room.position == null) {
            // The join is not answered yet; its answer says where the room begins.
            return false;
        }
        return frame.offset() > room.position.offset();
    }

    /** Advances the position to a frame that the application gets. */
    void passed(Envelope frame) {
        TrackedRoom room = frame.room() == null || frame.offset() == 0 ? null : rooms.get(frame.room());
        if (room != null && room.position != null && frame.offset() > room.position.offset()) {
            room.position = new Position(room.position.epoch(), frame.offset());
        }
    }

    /** Returns up to where a room's log is read; 0 if that is not known. */
    long offset(String name) {
        TrackedRoom room = rooms.get(name);
        return room == null || room.position == null ? 0 : room.position.offset();
    }

    /** Returns the epoch of a room's log, or null if it is not known. */
    @Nullable
    String epoch(@Nullable String name) {
        TrackedRoom room = name == null ? null : rooms.get(name);
        return room == null || room.position == null ? null : room.position.epoch();
    }

    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
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
