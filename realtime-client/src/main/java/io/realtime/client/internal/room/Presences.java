package io.realtime.client.internal.room;

import io.realtime.client.Presence;
import io.realtime.client.PresenceChange;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The presence of the rooms in which the application listens to it or has set a state. Sees to it that the server knows
 * both: with the join, and else by {@code $presence}, one request at a time. Owned by the scheduler's thread, except
 * where it says otherwise.
 */
public final class Presences {
    private final CallbackDispatcher callbacks;
    private final Map<String, PresenceView> views = new ConcurrentHashMap<>();
    // Rooms whose wishes the server may not know.
    private final Set<PresenceView> waiting = new LinkedHashSet<>();
    private final Predicate<String> isJoined;
    private Predicate<Outgoing> connection = frame -> false;
    private String session = "";
    private @Nullable Asked asked;
    private long lastRef;

    /** An open request. */
    private record Asked(String ref, PresenceView view, int stay, boolean watch, String state, boolean isWhole) {}

    /** @param isJoined returns whether the session is in a room, and no request about it is open */
    Presences(CallbackDispatcher callbacks, Predicate<String> isJoined) {
        this.callbacks = callbacks;
        this.isJoined = isJoined;
    }

    // What the application wants. Called on any thread, and followed by syncAll on the scheduler's.

    /** Returns what the room's listeners were told last. */
    public Presence of(String room) {
        PresenceView view = views.get(room);
        return view == null ? Presence.unknown() : view.told();
    }

    /** Adds a listener, which is told of what is known already. Returns what removes it. */
    public Runnable listen(String room, Consumer<? super PresenceChange> listener) {
        AtomicReference<Runnable> remove = new AtomicReference<>(() -> {});
        PresenceView joined = Objects.requireNonNull(views.compute(room, (name, known) -> {
            PresenceView view = known == null ? new PresenceView(name, callbacks) : known;
            remove.set(view.listen(listener));
            return view;
        }));
        joined.tellSoon();
        return Objects.requireNonNull(remove.get());
    }

    /** Sets what others see of this client in a room. */
    public void setState(String room, String state) {
        views.compute(room, (name, known) -> {
            PresenceView view = known == null ? new PresenceView(name, callbacks) : known;
            view.state = state;
            return view;
        });
    }

    // Joins

    /** Returns a join that tells the server what is wanted in the room. */
    Protocol.Join join(String room, Protocol.Join bare) {
        PresenceView view = views.get(room);
        if (view == null) {
            return bare;
        }
        boolean watch = view.isWatched();
        String state = view.state;
        Boolean presence = (watch || view.isUncertain || view.toldWatch) ? (Boolean) watch : null;
        boolean isStateless = state.isEmpty() && !view.isUncertain && view.toldState.isEmpty();
        // If the answer does not come, this is uncertain.
        view.isJoining = true;
        view.isUncertain = false;
        view.toldWatch = watch;
        view.toldState = state;
        return new Protocol.Join(bare.since(), bare.history(), presence, isStateless ? null : state);
    }

    /** Handles the answer to a join. */
    void joined(String room) {
        PresenceView view = views.get(room);
        if (view != null) {
            view.isJoining = false;
            sync(room);
        }
    }

    /** Handles a notice that the server put the session into a room. A join that was built may never be sent now. */
    void placed(String room) {
        PresenceView view = views.get(room);
        if (view != null) {
            view.isUncertain |= view.isJoining;
            sync(room);
        }
    }

    /** Returns the state that a join names. */
    String state(String room) {
        PresenceView view = views.get(room);
        return view == null ? "" : view.state;
    }

    /** Handles the refusal of a join that is sent again later. What is shown remains until then. */
    void refused(String room) {
        PresenceView view = views.get(room);
        if (view != null) {
            view.forgotten();
        }
    }

    /** Forgets what the server said of a room that the session is not in. */
    void left(String room) {
        PresenceView view = views.get(room);
        if (view != null) {
            view.left();
            dropIfUnused(view);
        }
    }

    /** Forgets what the former user said. */
    void userChanged() {
        views.values().forEach(view -> view.state = "");
    }

    // Connections

    /** Handles a new connection, before any room is synchronised. */
    void welcomed(String newSession, boolean isResumed, Predicate<Outgoing> newConnection) {
        session = newSession;
        connection = newConnection;
        if (!isResumed) {
            views.values().forEach(PresenceView::forgotten);
        }
    }

    void connectionLost() {
        connection = frame -> false;
        if (asked != null) {
            asked.view.isUncertain = true;
            asked = null;
        }
        waiting.clear();
        for (PresenceView view : views.values()) {
            view.isUncertain |= view.isJoining;
            view.isJoining = false;
        }
    }

    /** Tells the server what is wanted in all rooms, where it does not know. */
    public void syncAll() {
        waiting.addAll(views.values());
        sendNext();
    }

    /** Tells the server what is wanted in a room, if it does not know. */
    void sync(String room) {
        PresenceView view = views.get(room);
        if (view != null) {
            waiting.add(view);
            sendNext();
        }
    }

    /** Sends the next request, unless one is open. */
    void sendNext() {
        while (asked == null && !waiting.isEmpty()) {
            PresenceView view = waiting.iterator().next();
            boolean watch = view.isWatched();
            String state = view.state;
            if (!watch) {
                view.unwatched();
            }
            boolean isKnown = !view.isUncertain && view.toldWatch == watch && view.toldState.equals(state);
            if (isKnown || !isJoined.test(view.room)) {
                waiting.remove(view);
                dropIfUnused(view);
                continue;
            }
            lastRef++;
            String ref = "p" + lastRef;
            // A wish to be told is answered with a snapshot, so it is not repeated without need.
            boolean isWhole = view.isUncertain;
            Protocol.PresenceRequest data = new Protocol.PresenceRequest(
                    (isWhole || view.toldWatch != watch) ? (Boolean) watch : null,
                    isWhole || !view.toldState.equals(state) ? state : null);
            if (!connection.test(Outgoing.of(Protocol.PRESENCE)
                    .ref(ref)
                    .room(view.room)
                    .data(data, Protocol.PresenceRequest.class))) {
                // Until the connection is drained.
                return;
            }
            waiting.remove(view);
            asked = new Asked(ref, view, view.stay, watch, state, isWhole);
        }
    }

    private void dropIfUnused(PresenceView view) {
        views.computeIfPresent(view.room, (room, known) -> known == view && known.isUnused() ? null : known);
    }

    /** Returns how many requests the server has not answered yet. */
    int inFlight() {
        return asked == null ? 0 : 1;
    }

    // Frames of the server

    /** Handles an answer or an error. Returns false if it answers no request of this kind. */
    boolean answered(Envelope answer) {
        Asked open = asked;
        if (open == null || !open.ref.equals(answer.ref())) {
            return false;
        }
        asked = null;
        PresenceView view = open.view;
        if (answer.type().equals(Protocol.REPLY) && open.stay == view.stay) {
            view.isUncertain &= !open.isWhole;
            view.toldWatch = open.watch;
            view.toldState = open.state;
            waiting.add(view);
        }
        // After an error the room waits for another occasion: the same request would fail again.
        sendNext();
        return true;
    }

    /** Handles {@code $presence}. */
    void take(String room, Protocol.PresenceNotice notice) {
        PresenceView view = views.get(room);
        if (view != null && !view.take(notice, session) && view.isWatched()) {
            view.isUncertain = true;
            sync(room);
        }
    }
}
