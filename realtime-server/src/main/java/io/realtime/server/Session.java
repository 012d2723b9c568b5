package io.realtime.server;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.realtime.Event;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.spi.Handshake;
import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * A session of one client instance. A managed client's session outlives its connections: rooms, attributes and user are
 * kept for the session's time to live after a connection is lost. Safe for use by many threads. Every method returns
 * immediately.
 */
public interface Session {
    /**
     * Returns the public id. It names this session in logs, in {@link Room#except} and in {@link Room#only}. It is not a
     * secret, and does not give access.
     */
    String id();

    /** Returns the user of this session. */
    User user();

    /** Returns whether the client is a managed client, which acknowledges and resumes. */
    boolean isManaged();

    /** Returns whether the session has a connection now. */
    boolean isConnected();

    /** Returns the upgrade request of the newest connection. Its query and headers may hold a token. */
    Handshake handshake();

    /**
     * Returns the attributes. The map is live and concurrent: what is put there stays with the session when a
     * connection is lost. It holds no null.
     */
    Map<String, Object> attributes();

    /**
     * Returns the tags now, by name. The first ones come from the {@link Authentication} that the session began with;
     * neither a fresh token nor a resume changes them. {@link Room#having} selects members by them, and {@link
     * Member#tags} shows them. The map is immutable.
     */
    Map<String, String> tags();

    /**
     * Sets a tag, which stays with the session when a connection is lost. Replaces the value of a tag with this name.
     * The change counts for messages that are sent after this method returns. A session remembers its last 8 versions
     * of tags; the oldest one counts for all messages before it.
     *
     * @param name 1 to 64 of {@code A-Z a-z 0-9 _ . : / -}
     * @param value one line of 1 to 255 bytes in UTF-8
     * @throws IllegalArgumentException when the name or the value is not so, or the session has 16 other tags
     */
    void tag(String name, String value);

    /** Removes a tag. Does nothing when the session has none with this name. */
    void untag(String name);

    /**
     * Returns the names of the rooms that the session is in, sorted, without its inboxes. When the session is over, for
     * example in {@link SessionListener#onClose}, they are the rooms that it was in at its end.
     */
    Set<String> rooms();

    /** Returns whether the session is in the room. */
    boolean isIn(String room);

    /**
     * Returns a view of a room that the session has joined, whose messages are from this session's user: see {@link
     * Room#from}.
     *
     * @throws RealtimeException with {@code forbidden} when the session is not in it
     */
    Room room(String name);

    /**
     * Returns the access to the server's sessions, users and rooms, for a handler that needs more than its own session.
     */
    ConnectionManager connections();

    /**
     * Puts the session in a room and tells its client. The join rule is not asked, now or on a resume. If the session
     * is in the room already, the client is told nothing.
     *
     * @throws RealtimeException with {@code overloaded} when {@link Limits#rooms}, {@link Limits#roomsPerUser} or the
     *     rooms' half of {@link Limits#logBytes} allow no more
     */
    void join(String room);

    /** Takes the session out of a room and tells its client. Does nothing when the session is not in the room. */
    void leave(String room);

    /**
     * Sends to this session alone, through its inbox. A client without a connection gets the message when it resumes in
     * time. The future that is returned is complete. It may be ignored.
     *
     * @return the message's position in the inbox; null when it is in none: for an ephemeral event, and when the session
     *     is over
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    @CanIgnoreReturnValue
    <T> CompletableFuture<@Nullable Position> send(Event<T> event, T data);

    /** Like {@link #request(Request, Object, Duration)}, within 10 s. */
    <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data);

    /**
     * Sends a request to this session's client, once, through the session's inbox. A client without a connection gets
     * the request when it resumes in time. The answer waits for no handler, and may overtake messages that the client
     * sent before it. A handler that blocks until the answer comes ({@code join}) holds one of its user's threads, and
     * delays the session's next messages. Continue in {@code thenAccept} instead.
     *
     * @param timeout how long to wait for the answer, the time without a connection included
     * @return completes with the answer, on a thread for callbacks or the application's {@code executor}. Fails with a
     *     {@link io.realtime.RemoteException} when the client answered with an error, with a {@link
     *     io.realtime.PayloadException} when the answer does not fit the contract, and with another {@link
     *     RealtimeException}: {@code timeout}, {@code connection_lost} when the session is over, {@code overloaded}
     *     when 1,000 requests to it are open
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout);

    /**
     * Requests a stream from this session's client. The listener gets its items in order, one at a time, along with the
     * session's messages. The stream ends with {@code connection_lost} when the session is over.
     *
     * @return cancels the stream when closed: the listener is not called any more, and the producer stops at once
     * @throws io.realtime.PayloadException when the data cannot be written
     * @throws RealtimeException with {@code too_big} when it exceeds half of {@link Limits#outboundBytes}
     */
    <Q, T> Subscription stream(StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener);

    /**
     * Closes the connection, and asks the client to come back on another one: behind a load balancer that may be one to
     * another server. A managed client is told a window by {@code $goodbye}, resumes its session if it comes back here,
     * and sends again what was not acknowledged. A plain client's session ends, as with each lost connection. The close
     * has the code 4201. Does nothing when there is no connection.
     *
     * @param within the client returns after a random time up to this; at most 1 h, and zero for at once
     * @throws IllegalArgumentException when the time is negative or longer than 1 h
     */
    void reconnect(Duration within);

    /**
     * Ends the session for good like {@link #disconnect}, with a close code of the application's own. The client does
     * not reconnect, and its application is told the code and the reason: a managed client of this project is then
     * {@code CLOSED} with them.
     *
     * @param code 4500 to 4999
     * @param reason not secret; longer than 123 bytes in UTF-8 it is cut
     * @throws IllegalArgumentException when the code is not 4500 to 4999
     */
    void close(int code, String reason);

    /**
     * Ends the session for good, with 4005 and this text; the client does not reconnect. When this returns, the session
     * is in no room, and no login of its client that began before gets a session. Messages that no handler has begun
     * with are neither handled nor acknowledged. A handler that runs continues to its end.
     */
    void disconnect(String text);
}
