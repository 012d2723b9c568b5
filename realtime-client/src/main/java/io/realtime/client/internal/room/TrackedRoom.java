package io.realtime.client.internal.room;

import io.realtime.ErrorCode;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.client.JoinResult;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.Waiters;
import io.realtime.internal.wire.Protocol;
import java.util.function.LongPredicate;
import org.jspecify.annotations.Nullable;

/**
 * A room as the client knows it: what the application wants, whether the session is in it, the position in its log, and
 * the open request about it. Owned by the scheduler's thread.
 */
final class TrackedRoom {
    final String name;
    final Waiters<JoinResult> joining;
    final Waiters<Void> leaving;
    Wish wish = Wish.NONE;
    // Messages up to this number are sent before the room is left.
    long leaveAfter;
    boolean joined;
    boolean firstTime = true;
    int history;

    @Nullable
    Position position;

    // The open request about this room alone, or the $rejoin that names it.
    @Nullable
    String ref;

    // What the request ref asks for.
    Wish requested = Wish.NONE;
    // Whether the request ref names the position.
    boolean namedPosition;
    // How often the room was refused for now on this connection.
    int refusals;

    private final LongPredicate isDone;

    /** Whether the application wants to be in the room. */
    enum Wish {
        NONE,
        JOINED,
        LEFT
    }

    /** @param isDone returns whether every message up to a number has its outcome */
    TrackedRoom(String name, CallbackDispatcher callbacks, LongPredicate isDone) {
        this.name = name;
        this.joining = new Waiters<>(callbacks, "the same room");
        this.leaving = new Waiters<>(callbacks, "the same room");
        this.isDone = isDone;
    }

    /** Returns true for an inbox, which belongs to the protocol: nobody joins or leaves it. */
    boolean isProtocols() {
        return name.startsWith("@");
    }

    /** Returns true if the session is to be in the room: a leave waits for the messages before it. */
    boolean stays() {
        return wish == Wish.JOINED || (wish == Wish.LEFT && !isDone.test(leaveAfter));
    }

    boolean isToLeave() {
        // Also if no future waits for it.
        return !isProtocols() && wish == Wish.LEFT && !stays();
    }

    boolean isToJoin() {
        return !isProtocols() && !isToLeave() && (!joining.isEmpty() || (stays() && !joined));
    }

    Protocol.Join join() {
        return new Protocol.Join(position, firstTime && history > 0 ? history : null);
    }

    void requested(Wish what, String newRef) {
        ref = newRef;
        requested = what;
        namedPosition = position != null;
    }

    /** Ends the request about the room; returns what it asked for. */
    Wish answered() {
        Wish what = requested;
        ref = null;
        requested = Wish.NONE;
        return what;
    }

    void connectionLost() {
        refusals = 0;
        ref = null;
        requested = Wish.NONE;
        joined = false;
    }

    /** Fails the futures of joins and leaves. */
    void failWaiting(RealtimeException cause) {
        joining.fail(cause);
        leaving.fail(cause);
    }

    void failJoining() {
        joining.fail(new RealtimeException(ErrorCode.CLOSED, "left before it was joined"));
    }
}
