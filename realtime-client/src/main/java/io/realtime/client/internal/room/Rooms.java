package io.realtime.client.internal.room;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.client.Gap;
import io.realtime.client.JoinResult;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Timers;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
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
 * The rooms that the application wants to be in, and the position in the log of each. Survives connections. Decides what
 * an answer or a notice of the server means for a room. Owned by the scheduler's thread.
 */
public final class Rooms {
    /** The bound on rooms; a server that puts a session into more has a fault. */
    private static final int MOST_ROOMS = 100_000;

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
    private final Presences presences;
    private final RoomRequests requests;

    /**
     * @param isDone returns whether every message up to a number has its outcome
     * @param retryLater schedules a call of {@link #retry}, unless the connection ends before
     */
    public Rooms(CallbackDispatcher callbacks, Scheduler scheduler, LongPredicate isDone, Runnable retryLater) {
        this.callbacks = callbacks;
        this.scheduler = scheduler;
        this.isDone = isDone;
        this.retryLater = retryLater;
        this.presences = new Presences(callbacks, this::isSettled);
        this.requests = new RoomRequests(presences);
    }

    /** Returns the presence of the rooms. */
    public Presences presences() {
        return presences;
    }

    /** Returns true if the session is in the room, and no request about that is open. */
    private boolean isSettled(String name) {
        TrackedRoom room = rooms.get(name);
        return room != null && room.joined && room.ref == null;
    }

    // What the application wants

    /**
     * Joins a room, now or after the next welcome.
     *
     * @param timeout how long the caller waits; the room is joined also after that
     */
    public void join(String name, int history, Duration timeout, CompletableFuture<JoinResult> result) {
        TrackedRoom room = room(name);
        room.wish = TrackedRoom.Wish.JOINED;
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
        requests.sync(room);
    }

    /**
     * Leaves a room after the messages that were sent to it. Until these have their outcome the room stays joined,
     * through lost connections too.
     *
     * @param lastSeq the number of the newest message that was sent before
     */
    public void leave(String name, long lastSeq, CompletableFuture<Void> result) {
        TrackedRoom room = room(name);
        if (room.wish == TrackedRoom.Wish.JOINED) {
            room.leaveAfter = lastSeq;
        }
        room.wish = TrackedRoom.Wish.LEFT;
        room.leaving.add(result, Timers.NONE);
        if (room.stays()) {
            staying.add(room);
        } else {
            goes(room);
        }
    }

    /** Leaves the rooms that waited for messages which now have their outcome. */
    public void leaveWhatMay() {
        for (TrackedRoom room : staying.isEmpty() ? Collections.<TrackedRoom>emptySet() : new ArrayList<>(staying)) {
            if (!room.stays()) {
                staying.remove(room);
                requests.withdraw(room);
                if (room.wish == TrackedRoom.Wish.LEFT) {
                    goes(room);
                }
            }
        }
    }

    private void goes(TrackedRoom room) {
        if (room.requested != TrackedRoom.Wish.JOINED) {
            room.failJoining();
        }
        requests.sync(room);
    }

    /** Fails the futures of joins and leaves; the rooms are still wanted or not wanted. */
    public void fail(RealtimeException cause) {
        for (TrackedRoom room : rooms.values()) {
            room.failWaiting(cause);
        }
    }

    /** Forgets all rooms and positions, which belonged to another user; there is no connection. */
    public void forgetAll(RealtimeException cause) {
        for (TrackedRoom room : new ArrayList<>(rooms.values())) {
            room.failWaiting(cause);
            if (room.position != null) {
                callbacks.unauthorized(new Gap(room.name, room.position, Gap.USER_CHANGED));
            }
            forget(room.name);
        }
        presences.userChanged();
    }

    // Connections

    /** Returns the positions that fit into a {@code $hello}; see {@link HelloPositions#of}. */
    public HelloPositions positions(int bytes, int answer) {
        return HelloPositions.of(rooms.values(), bytes, answer);
    }

    /**
     * Checks the positions that a server sent.
     *
     * @throws RealtimeException when a position is incomplete, or there are too many
     */
    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
    public static void check(Map<String, Protocol.RoomPosition> states) {
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
     * @param session the secret of the session
     * @param isPartial whether the session is in more rooms than the states name
     * @param longestRequest in bytes
     * @param longestAnswer in bytes
     */
    public void welcomed(
            String session,
            boolean resumed,
            Map<String, Protocol.RoomPosition> states,
            boolean isPartial,
            int inflight,
            int longestRequest,
            int longestAnswer,
            Predicate<Outgoing> newConnection) {
        presences.welcomed(session, resumed, newConnection);
        // Another session has another inbox.
        TrackedRoom inbox = resumed ? null : rooms.remove(Names.SESSION);
        for (Map.Entry<String, Protocol.RoomPosition> entry : states.entrySet()) {
            resumed(room(entry.getKey()), entry.getValue());
        }
        if (inbox != null && inbox.position != null) {
            lostInbox(states.get(Names.SESSION));
        }
        requests.welcomed(inflight, longestRequest, longestAnswer, newConnection);
        List<TrackedRoom> returning = new ArrayList<>();
        for (TrackedRoom room : new ArrayList<>(rooms.values())) {
            if (!resumed && room.isToLeave() && !states.containsKey(room.name)) {
                left(room);
            } else if (room.isToJoin()) {
                returning.add(room);
            }
        }
        requests.joinAgain(returning, isPartial);
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
        if (!room.isProtocols()) {
            if (lost && "unauthorized".equals(state.reason())) {
                Position last = room.position == null ? new Position(state.epoch(), state.offset()) : room.position;
                callbacks.unauthorized(new Gap(room.name, last, "unauthorized"));
                refused(room, new RealtimeException(ErrorCode.FORBIDDEN, "room '" + room.name + "' is forbidden now"));
                return;
            }
            if (room.wish != TrackedRoom.Wish.NONE && room.firstTime) {
                // The answer to its join was lost. The join is sent again, and its answer says where the room begins.
                return;
            }
            room.joined = true;
            room.firstTime = false;
            if (room.wish == TrackedRoom.Wish.NONE) {
                // The server put the session there.
                room.wish = TrackedRoom.Wish.JOINED;
            }
        }
        move(room, state.epoch(), state.offset(), lost, state.reason());
    }

    /** Forgets the requests: no answer comes. */
    public void connectionLost() {
        requests.connectionLost(rooms.values());
        presences.connectionLost();
    }

    /** Sends again the requests that could not be sent, or were refused for now. */
    public void retry() {
        requests.rejoin();
        for (TrackedRoom room : new ArrayList<>(rooms.values())) {
            requests.sync(room);
        }
        presences.syncAll();
    }

    // Answers and notices of the server

    /** Handles an answer. Returns false if it answers no request about a room. */
    public boolean reply(Envelope answer) {
        if (presences.answered(answer)) {
            return true;
        }
        List<TrackedRoom> many = requests.takeRejoin(answer);
        if (many != null) {
            rejoined(many, answer);
            requests.sendNext();
            return true;
        }
        TrackedRoom room = requests.take(answer);
        if (room == null) {
            return false;
        }
        if (requests.answered(room) == TrackedRoom.Wish.LEFT) {
            left(room);
            requests.sync(room);
        } else {
            try {
                joined(room, answer.data(Protocol.JoinReply.class));
            } catch (RealtimeException nonsense) {
                room.failWaiting(nonsense);
                requests.sendNext();
                throw nonsense;
            }
            requests.sync(room);
        }
        requests.sendNext();
        return true;
    }

    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
    private void rejoined(List<TrackedRoom> many, Envelope answer) {
        Protocol.RejoinReply data;
        try {
            data = answer.data(Protocol.RejoinReply.class);
        } catch (RealtimeException nonsense) {
            many.forEach(room -> refused(room, nonsense));
            return;
        }
        for (TrackedRoom room : many) {
            if (room.ref == null) {
                // The room was forgotten meanwhile.
                continue;
            }
            requests.answered(room);
            Protocol.Rejoined one = data.rooms() == null ? null : data.rooms().get(room.name);
            ErrorData error = one == null ? null : one.error();
            String epoch = one == null ? null : one.epoch();
            if (error != null) {
                failed(room, error.exception());
            } else if (one == null || epoch == null || one.offset() < 0) {
                refused(room, noPlace(room.name));
            } else {
                joined(room, new Protocol.JoinReply(epoch, one.offset(), one.recovered(), one.reason(), one.members()));
                requests.sync(room);
            }
        }
    }

    /** Handles an error. Returns false if it answers no request about a room. */
    public boolean error(Envelope answer, RemoteException failure) {
        if (presences.answered(answer)) {
            callbacks.error(failure);
            return true;
        }
        List<TrackedRoom> many = requests.takeRejoin(answer);
        if (many != null) {
            for (TrackedRoom room : many) {
                if (room.ref != null) {
                    requests.answered(room);
                    failed(room, failure);
                }
            }
            requests.sendNext();
            return true;
        }
        TrackedRoom room = requests.take(answer);
        if (room == null) {
            return false;
        }
        if (requests.answered(room) == TrackedRoom.Wish.LEFT) {
            // The room is not joined again, whatever the error is.
            left(room);
            requests.sync(room);
        } else {
            failed(room, failure);
        }
        requests.sendNext();
        return true;
    }

    private void failed(TrackedRoom room, RemoteException failure) {
        if (room.joining.isEmpty() && failure.isRetryable()) {
            callbacks.error(failure);
            presences.refused(room.name);
            if (++room.refusals <= MOST_REFUSALS) {
                requests.refusedForNow(room);
            }
            retryLater.run();
        } else {
            refused(room, failure);
        }
    }

    /**
     * Returns how many requests the server has not answered yet; they count like messages that it has not processed.
     */
    public int requestsInFlight() {
        return requests.inFlight() + presences.inFlight();
    }

    /** Returns true if no message may be sent, since it may be for a room that the session is not in yet. */
    public boolean holdsMessages() {
        return requests.holdsMessages();
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
        presences.joined(room.name);
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
        if (room.stays()) {
            // It was joined again meanwhile.
            room.joined = false;
            room.position = null;
            room.firstTime = true;
            callbacks.left(room.name);
            presences.left(room.name);
            return;
        }
        room.leaving.complete(null);
        room.failJoining();
        forget(room.name);
    }

    /**
     * Handles {@code $joined}: the server put the session into a room, or says that it is in it. What the application
     * asked for meanwhile comes after that. So while the room is being left, nothing of it is for the application.
     */
    public void put(String name, Protocol.RoomPosition place) {
        TrackedRoom room = room(name);
        if (room.requested == TrackedRoom.Wish.LEFT) {
            room.position = null;
            room.firstTime = true;
            return;
        }
        if (!room.isProtocols()) {
            room.wish = room.wish == TrackedRoom.Wish.NONE ? TrackedRoom.Wish.JOINED : room.wish;
            room.joined = true;
            room.firstTime = false;
            requests.joinedByServer(room);
            presences.placed(name);
        }
        Position own = room.position;
        boolean goesOn = own == null || (own.epoch().equals(place.epoch()) && own.offset() >= place.offset());
        move(room, place.epoch(), place.offset(), !goesOn, goesOn ? null : "epoch");
    }

    /**
     * Handles {@code $left}: the server removed the session from a room. What the application asked for meanwhile comes
     * after that.
     */
    public void taken(String name, @Nullable String reason) {
        TrackedRoom room = rooms.get(name);
        if (room == null || room.ref != null) {
            return;
        }
        if (requests.isWaiting(room)) {
            room.joined = false;
            return;
        }
        out(room, new RealtimeException(ErrorCode.CLOSED, "the server took the session out of the room"));
        callbacks.removed(name, reason);
    }

    /** Handles {@code $presence}. What comes after the room was left is ignored. */
    public void presence(String name, Protocol.PresenceNotice notice) {
        TrackedRoom room = rooms.get(name);
        if (room != null && room.joined) {
            presences.take(name, notice);
        }
    }

    /** Handles a gap in a room's log. */
    public void gap(String name, Protocol.GapNotice gap) {
        if (rooms.containsKey(name) || name.startsWith("@")) {
            // Otherwise it was left meanwhile, or never joined.
            TrackedRoom room = room(name);
            Position own = room.position;
            if (own == null && room.firstTime && room.wish != TrackedRoom.Wish.NONE && !room.isProtocols()) {
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
    public boolean isNew(Envelope frame) {
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
    public void passed(Envelope frame) {
        TrackedRoom room = frame.room() == null || frame.offset() == 0 ? null : rooms.get(frame.room());
        if (room != null && room.position != null && frame.offset() > room.position.offset()) {
            room.position = new Position(room.position.epoch(), frame.offset());
        }
    }

    /** Returns up to where a room's log is read; 0 if that is not known. */
    public long offset(String name) {
        TrackedRoom room = rooms.get(name);
        return room == null || room.position == null ? 0 : room.position.offset();
    }

    /** Returns the epoch of a room's log, or null if it is not known. */
    @Nullable
    public String epoch(@Nullable String name) {
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
            room = new TrackedRoom(name, callbacks, isDone);
            rooms.put(name, room);
        }
        return room;
    }

    private void forget(String name) {
        TrackedRoom room = rooms.remove(name);
        if (room != null) {
            room.wish = TrackedRoom.Wish.NONE;
            staying.remove(room);
            requests.forget(room);
        }
        callbacks.left(name);
        presences.left(name);
    }
}
