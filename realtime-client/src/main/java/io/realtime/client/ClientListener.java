package io.realtime.client;

/**
 * What happens to a client beside its messages. Every method runs on the client's callback executor, in order with the
 * message handlers and one at a time. What a method throws is logged.
 */
public interface ClientListener {
    /** The state changed; called once for each change, in order. */
    default void onState(ConnectionState state) {}

    /**
     * Something failed that has no other way to say so: a handler threw, a payload did not fit its contract, the
     * server reported an error, a token provider failed, a frame made no sense, or attempts to connect fail with what
     * looks permanent (a {@link io.realtime.ConnectionException}, once for each answer). The client goes on.
     */
    default void onError(Throwable failure) {}

    /**
     * A message will not be sent (again). Called for every one, beside the failure of its future, unless it was refused
     * because 10,000 outcomes or 8 MiB of reports wait for the callbacks: then {@link #onError} says how many were refused.
     * For messages of an earlier process, which a {@link FileOutbox} kept, called instead of it, also when the server
     * answered with an error.
     */
    default void onDropped(DroppedMessage message) {}

    /**
     * Messages of a room were missed for good: what the application knows of the room must be loaded again. Called
     * after every earlier message of the room was handed over, before its {@linkplain ClientRoom#onReload reload hook}
     * runs, which does the loading where the messages that follow must wait for it.
     */
    default void onGap(Gap gap) {}
}
