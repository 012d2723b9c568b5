package io.realtime.client;

import io.realtime.Position;
import org.jspecify.annotations.Nullable;

/**
 * A listener for everything that happens to a client except messages. Every method runs on the client's callback
 * executor, in order with the message handlers and one at a time. What a method throws is logged.
 */
public interface ClientListener {
    /** Called once for each change of the state, in order. */
    default void onState(ConnectionState state) {}

    /**
     * Called for failures that are reported nowhere else: a handler threw, a payload did not fit its contract, the
     * server reported an error, a token provider failed, a frame was malformed, or attempts to connect fail in a way
     * that looks permanent (a {@link io.realtime.ConnectionException}, once for each answer). The client continues.
     */
    default void onError(Throwable failure) {}

    /**
     * Called for every message that will not be sent, or not sent again, in addition to the failure of its future. Not
     * called for messages that were refused because 10,000 outcomes or 8 MiB of reports wait for the callbacks: then
     * {@link #onError} says how many were refused. Messages of an earlier process, which a {@link FileOutbox} kept,
     * have no future; for them this is called also when the server answered with an error.
     */
    default void onDropped(DroppedMessage message) {}

    /**
     * Called when messages of a room were missed for good, so that the application must load the room's state again.
     * Every earlier message of the room was handed over before. The room's {@linkplain ClientRoom#onReload reload hook}
     * runs after this; load there if the messages that follow must wait for it.
     */
    default void onGap(Gap gap) {}

    /**
     * Called when the server deleted a message of a room, so that the application removes it too. The message was handed
     * over before, if it was for this client; the client may have read it in the history as well, or never. In a room
     * whose {@linkplain ClientRoom#onReload reload hook} runs, this waits with the messages.
     *
     * @param position the position of the message
     */
    default void onDeleted(String room, Position position) {}

    /**
     * Called when the server took this client out of a room. It is not joined again; to join it, call {@link
     * ClientRoom#join}.
     *
     * @param reason why the server's application closed the room; null if it took only this client out
     */
    default void onRemoved(String room, @Nullable String reason) {}
}
