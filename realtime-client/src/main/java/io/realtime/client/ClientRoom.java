package io.realtime.client;

import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.Message;
import io.realtime.Subscription;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.connection.ClientEngine;
import io.realtime.internal.Durations;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * A room as one client sees it. Cheap to get and stateless: two objects with the same name are the same room. Safe for
 * use by many threads; every method returns immediately.
 */
public final class ClientRoom {
    private static final Duration JOIN_TIMEOUT = Duration.ofSeconds(10);

    private final ClientEngine engine;
    private final CallbackDispatcher callbacks;
    private final String name;

    ClientRoom(ClientEngine engine, CallbackDispatcher callbacks, String name) {
        this.engine = engine;
        this.callbacks = callbacks;
        this.name = name;
    }

    /** Returns the name. */
    public String name() {
        return name;
    }

    /** Like {@link #join(int, Duration)}, without history and within 10 s. */
    public CompletableFuture<JoinResult> join() {
        return join(0);
    }

    /** Like {@link #join(int, Duration)}, within 10 s. */
    public CompletableFuture<JoinResult> join(int history) {
        return join(history, JOIN_TIMEOUT);
    }

    /**
     * Joins the room, now or at the next connect, and joins it again after every reconnect until {@link #leave}.
     * Messages that were published meanwhile are delivered first. If the room no longer has them, {@link
     * ClientListener#onGap} reports it, and {@link #onReload} holds back later messages while the application loads the
     * room again.
     *
     * <p>Each call returns a future of its own. A future that times out, or that its caller cancels, ends only the wait
     * of this caller: the client still joins the room when the server answers. If the server then refuses, {@link
     * ClientListener#onError} reports it. Call {@link #leave} to give the room up.
     *
     * @param history how many of the newest messages to deliver first on a first join; the server may give fewer
     * @param timeout how long to wait for the answer; the time without a connection counts
     * @return completes on the callback executor when the server has answered. Fails with a {@link
     *     io.realtime.RemoteException} when the server refused; then the room is not joined again. Fails with another
     *     {@link io.realtime.RealtimeException} otherwise: {@code timeout}; {@code closed} when the client closes, the
     *     room is left or the server removes the session from it before; {@code overloaded} when 1,000 callers wait for
     *     this room
     * @throws IllegalArgumentException when the number is negative or the timeout is not positive
     */
    public CompletableFuture<JoinResult> join(int history, Duration timeout) {
        if (history < 0) {
            throw new IllegalArgumentException("history " + history + " is negative");
        }
        return engine.join(name, history, Durations.positive("timeout", timeout));
    }

    /**
     * Leaves the room, now or at the next connect, and forgets the position in its log. Each call returns a future of
     * its own. The room is left whatever happens to that future: its caller may cancel it, the client may disconnect,
     * or the future may have failed with {@code overloaded} when it is returned, since the callbacks cannot keep up.
     *
     * @return completes on the callback executor when the server has confirmed, or when the room is joined again; fails
     *     when the client disconnects or closes before
     */
    public CompletableFuture<Void> leave() {
        return engine.leave(name);
    }

    /** Sends a message to the server about this room; see {@link RealtimeClient#send}. */
    public <T> CompletableFuture<Void> send(Event<T> event, T data) {
        return engine.sender().send(event, data, name);
    }

    /**
     * Calls the handler for every message of the event in this room, on the callback executor, after the handlers
     * registered with {@link RealtimeClient#on}.
     *
     * @throws IllegalArgumentException when the event's name is already taken by an event of another type
     */
    public <T> Subscription on(Event<T> event, Consumer<? super Message<T>> handler) {
        return callbacks.on(name, event, handler);
    }

    /** Like {@link #on}, for the next message only. */
    public <T> Subscription once(Event<T> event, Consumer<? super Message<T>> handler) {
        return callbacks.once(name, event, handler);
    }

    /**
     * Registers a hook that loads the application's state of the room again whenever messages of it were missed for
     * good. The hook runs on the callback executor, after every earlier message of the room was handed over and {@link
     * ClientListener#onGap} was called. Until its stage completes, later messages of the room are held back. Then they
     * are handed over in order, except those that the stage says are already loaded. Other rooms, the listener and
     * futures do not wait. Ephemeral messages of the room are dropped meanwhile.
     *
     * <p>A hook that fails, or has not loaded after 1 minute, is reported to {@link ClientListener#onError}. It runs
     * again after 1 s, 2 s, and so on up to 30 s, and whenever the client has connected again. It also runs again when
     * more than 1 MiB of the room, or 8 MiB of all rooms, would be held back. Then these messages are dropped, and the
     * next run loads them; its gap has the reason {@link Gap#OVERFLOW}. After another gap during a run the hook runs
     * once more, and messages held from before that gap are dropped.
     *
     * <p>Leaving the room, once the server has confirmed it, and closing the client end the reload and drop what is
     * held. Closing the subscription hands over what is held.
     *
     * @return removes the hook when closed, even while it runs
     * @throws IllegalStateException when the room has a hook already; the message names it
     */
    public Subscription onReload(Reload hook) {
        return callbacks.onReload(name, hook);
    }

    /**
     * Returns who is in the room, as the listeners of {@link #onPresence} were told last. Unknown while the room has no
     * listener. In a callback it is what the callback was told of; on other threads it may be older than what the
     * server has sent. Without a connection it remains as it was.
     */
    public Presence presence() {
        return engine.presence(name);
    }

    /**
     * Calls the listener when the presence of the room changes: who is here, with which tags and state, and who is away
     * because its connection is lost. The server tells it while the room is joined and has a listener, if the server's
     * application has presence for the room; otherwise the listener is not called.
     *
     * <p>The listener runs on the callback executor. The first call has all members as {@code joined}, this client's own
     * session included. Each further call has the differences to the call before. Changes that were undone meanwhile are
     * not reported. So after a lost connection one call says what has changed, and a slow listener is called less often
     * instead of later. When the room is left, the last call says that the presence is unknown and everybody has left.
     *
     * <p>The server announces changes with a delay of up to 250 ms by default, so there is no order between them and the
     * messages of the room. A member may be shown before or after its messages. What the listener throws is reported to
     * {@link ClientListener#onError}.
     *
     * @return removes the listener when closed
     */
    public Subscription onPresence(Consumer<? super PresenceChange> listener) {
        return engine.onPresence(name, Objects.requireNonNull(listener, "listener"));
    }

    /**
     * Sets what other members see of this client in the room, for example "typing" or a status as JSON. The state is
     * kept while the client is not in the room or not connected, and is set again in each new session, until another one
     * replaces it, or until a welcome names another user. Others see only the newest one. The server refuses it in a room without presence, which {@link
     * ClientListener#onError} reports if the room is joined already.
     *
     * @param state up to 1,024 characters; empty for no state
     * @throws IllegalArgumentException when it is longer
     * @throws io.realtime.PayloadException when it has half a surrogate pair
     */
    public void setState(String state) {
        if (state.length() > Protocol.MOST_STATE) {
            throw new IllegalArgumentException(
                    "a state of " + state.length() + " characters is longer than " + Protocol.MOST_STATE);
        }
        // Refuses what cannot be sent.
        Outgoing.of(Protocol.PRESENCE).data(state, String.class);
        engine.setState(name, state);
    }

    /**
     * Reads a part of the room's log, without joining the room. The server answers if it would let this client join.
     *
     * @return completes on the callback executor. Fails with a {@link io.realtime.RemoteException} when the server
     *     refuses, and with a {@link io.realtime.RealtimeException} of another code otherwise: {@code connection_lost}
     *     without a connection or when it is lost before the answer, {@code timeout} after 30 s, {@code overloaded}
     *     when 64 history requests are open, {@code closed} when the client closes, {@code epoch} when the query's
     *     position belongs to another log, {@code bad_data} or {@code bad_message} when the answer is malformed
     */
    public CompletableFuture<HistoryPage> history(HistoryQuery query) {
        return engine.history(name, query);
    }

    @Override
    public String toString() {
        return "room '" + name + "'";
    }
}
