package io.realtime.server;

import io.realtime.Event;
import io.realtime.Position;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A room to send to: a named one, a user's inbox, or {@code @all}. It is a light, immutable view. The room need not
 * exist, and may have any number of views. {@link #except} and {@link #filter} return views with fewer receivers. Safe
 * for use by many threads.
 */
public interface Room {
    /** Returns the room's name on the wire. */
    String name();

    /** Returns a view whose messages are not delivered to these sessions, also when they read the log later. */
    Room except(Session... sessions);

    /**
     * Returns a view whose messages are delivered only to members that pass the test when the message is sent. A member
     * that joins later does not see such a message in the history.
     *
     * @param test called on the sending thread, once for each member and message; must not block
     */
    Room filter(Predicate<? super Session> test);

    /**
     * Publishes a message to the room. Returns when the message is in the log. It has then been handed to the
     * connections of the members, or is about to be.
     *
     * @return its position in the log; null for an ephemeral event, which has none
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes},
     *     with {@code overloaded} when {@link Limits#rooms} or {@link Limits#logBytes} allow no further room, and with
     *     {@code closed} when the server is closed. In all cases nobody gets the message
     */
    <T> @Nullable Position send(Event<T> event, T data);

    /**
     * Runs a task while no other task of this room runs. Tasks run in the order of the calls, each on its calling
     * thread, which waits. So when tasks store a message and then {@link #send} it, what is stored has the order of the
     * room, whichever threads call: see {@code docs/database.md}. Sends outside of tasks do not wait. All views of a
     * room share this order.
     *
     * @return what the task returns
     * @throws IllegalStateException when called within such a task, for this room or another
     * @throws InterruptedException when the thread is interrupted while it waits; the task does not run
     * @throws Exception what the task throws
     */
    <T extends @Nullable Object> T serially(Callable<T> task) throws Exception;

    /** Returns the members now. Sessions that are kept without a connection are included. */
    List<Session> members();

    /** Returns how many members there are now. */
    int size();
}
