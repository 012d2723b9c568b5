package io.realtime.server;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.realtime.Event;
import io.realtime.Position;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * A room to send to: a named one, a user's inbox, or {@code @all}. It is a light, immutable view. The room need not
 * exist, and may have any number of views. {@link #from} returns a view that sends as a user. {@link #except}, {@link
 * #only}, {@link #having} and {@link #filter} return views with fewer receivers; all conditions of a view must hold.
 * Safe for use by many threads.
 */
public interface Room {
    /** Returns the room's name on the wire. */
    String name();

    /**
     * Returns a view whose messages are {@linkplain io.realtime.Message#from from} this session's user. Messages of
     * other views are from the server. The session need not be a member.
     */
    Room from(Session session);

    /**
     * Returns a view whose messages are not delivered to the sessions with these public ids, also when they read the
     * log later. The ids need not be those of members.
     */
    default Room except(String... sessionIds) {
        return except(List.of(sessionIds));
    }

    /** Like {@link #except(String...)}. */
    Room except(Collection<String> sessionIds);

    /**
     * Returns a view whose messages are delivered only to the sessions with these public ids, also when they join or
     * resume later. With no id nobody gets them. The log keeps the ids with each message, and counts them against
     * {@link Limits#logBytes}; to send to many sessions often, tag them and use {@link #having}.
     */
    default Room only(String... sessionIds) {
        return only(List.of(sessionIds));
    }

    /** Like {@link #only(String...)}. */
    Room only(Collection<String> sessionIds);

    /**
     * Returns a view whose messages are delivered only to members that have this tag when the message is sent. Later
     * changes do not count: neither for members without a connection, which receive it later, nor in the history. For
     * a session that begins after the message was sent, its first tags count.
     *
     * @throws IllegalArgumentException when no session can have the tag; see {@link Session#tag}
     */
    Room having(String tag, String value);

    /**
     * Returns a view whose messages are delivered only to members that pass the test when the message is sent. A member
     * that joins later does not see such a message in the history. The test sees sessions of this server only.
     *
     * @param test called on the sending thread, once for each message and member that meets the view's other
     *     conditions; must not block
     */
    Room filter(Predicate<? super Session> test);

    /**
     * Publishes a message to the room. When the future completes, the message is in the log. It has then been handed to
     * the connections of the members, or is about to be. The log is in memory, so the future that is returned is
     * complete. It may be ignored.
     *
     * @return the message's position in the log; null for an ephemeral event, which has none
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes},
     *     with {@code overloaded} when {@link Limits#rooms} or {@link Limits#logBytes} allow no further room, and with
     *     {@code closed} when the server is closed. In all cases nobody gets the message
     */
    @CanIgnoreReturnValue
    <T> CompletableFuture<@Nullable Position> send(Event<T> event, T data);

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

    /**
     * Returns the members, in the order in which they became members. Sessions that are kept without a connection are
     * included. The conditions of the view do not matter. The future that is returned is complete.
     *
     * <p>Clients are shown something else if the room has presence: a member without a connection is hidden after a
     * {@linkplain PresenceRule#grace grace}.
     */
    CompletableFuture<List<Member>> members();

    /** Returns the sessions of this server that are {@linkplain #members members}. */
    List<Session> localMembers();

    /** Returns how many {@linkplain #members members} there are. The future that is returned is complete. */
    CompletableFuture<MemberCount> count();
}
