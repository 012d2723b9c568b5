package io.realtime.server;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
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
     * Publishes a message like {@link #send(Event, Object)}, once for each key. While the log keeps the first message
     * with this key, another call publishes nothing and returns the position of the first. So a caller that does not
     * know whether its call succeeded may repeat it. The first message wins, whatever event, data, sender or receivers
     * a later call names, and also when it was {@linkplain #delete deleted}. Keys belong to the room, whichever view is
     * used. They take part of the log's bytes, and are forgotten with their messages: a log whose {@link Retention}
     * keeps nothing remembers no key.
     *
     * @param key one line of 1 to 255 bytes in UTF-8
     * @return the position of the first message with this key
     * @throws IllegalArgumentException when the event is ephemeral, or the key is not so
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws io.realtime.RealtimeException as {@link #send(Event, Object)} does
     */
    @CanIgnoreReturnValue
    <T> CompletableFuture<Position> send(Event<T> event, T data, String key);

    /**
     * Deletes a message from the log, whomever it is addressed to. Nobody who joins, resumes or reads the history later
     * gets it. All other positions stay as they are. Members are told by {@code $deleted}, which is {@code onDeleted} of
     * a client's listener, after they got the message: at once, or when they resume. The notice takes a position of the
     * log. The client's application removes what it shows. The future that is returned is complete.
     *
     * @return true when the message was deleted; false when the log does not have it, or no longer
     */
    @CanIgnoreReturnValue
    CompletableFuture<Boolean> delete(Position position);

    /**
     * Deletes all messages of the log. Members stay, and are told to load the room again: a live one by a gap with the
     * reason {@code purged}, one that resumes later, also from the very end, by {@code trimmed}. The epoch stays, and
     * offsets continue. The future that is returned is complete.
     *
     * @return the position where the log now stands
     * @throws io.realtime.RealtimeException with {@code overloaded} when the room does not exist, and {@link
     *     Limits#rooms} or {@link Limits#logBytes} allow no further room, and with {@code closed} when the server is
     *     closed
     */
    @CanIgnoreReturnValue
    CompletableFuture<Position> purge();

    /**
     * Closes the room: every member leaves it and is told why, then the log is {@linkplain #purge purged}. The name
     * stays free: a session that joins while this runs, or later, is in the room again. A managed client that is away
     * asks to join again when it returns. So refuse the room in the join rule first if it must stay closed. The future
     * that is returned is complete.
     *
     * @param reason one line of 1 to 255 bytes in UTF-8, for the members
     * @return the position where the log now stands
     * @throws IllegalStateException when this is an inbox or {@code @all}
     * @throws IllegalArgumentException when the reason is not so
     * @throws io.realtime.RealtimeException as {@link #purge} does
     */
    @CanIgnoreReturnValue
    CompletableFuture<Position> close(String reason);

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
     * Reads a part of the room's log: every message, whomever it is addressed to. The conditions of the view do not
     * matter. A page ends at the query's limit, or earlier at a quarter of {@link Limits#outboundBytes}, and {@link
     * HistoryPage#next} continues. Reading makes no room: one that does not exist has an empty page.
     *
     * @return complete. Failed with {@code epoch} when the query's position belongs to another log
     */
    CompletableFuture<HistoryPage> history(HistoryQuery query);

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
