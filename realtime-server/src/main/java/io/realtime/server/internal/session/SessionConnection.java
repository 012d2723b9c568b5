package io.realtime.server.internal.session;

import io.realtime.CloseReason;
import io.realtime.RealtimeException;
import io.realtime.server.Authentication;
import io.realtime.server.Credentials;
import io.realtime.server.internal.room.MemberConnection;
import io.realtime.spi.Handshake;
import io.realtime.spi.WireMessage;
import java.time.Instant;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/** What a session, and the handling of its messages, know of the connection that it has. Safe for use by many threads. */
public interface SessionConnection extends MemberConnection {
    /** Returns a number that grows with each connection of this server. */
    long number();

    Handshake handshake();

    /** Returns how many bytes wait for the client. */
    long outboundBytes();

    /** Sends a frame that belongs to this connection and is in no log. A connection that does not accept it closes. */
    void send(WireMessage frame);

    /**
     * Sends a frame that says that a delivery has begun, and begins the delivery before the frame is flushed. Otherwise
     * an ephemeral message would be lost if it was published after the client had read the frame and before the
     * delivery began.
     *
     * @param begin begins the delivery; the messages that it sends arrive after the frame
     */
    void send(WireMessage frame, Runnable begin);

    /** Runs a task after the welcome; at once when the welcome was sent. */
    void whenWelcomed(Runnable task);

    /** Stops accepting messages, since the connection is about to close. */
    void takeNoMore();

    /** Closes the connection after an error frame that says why. Messages that still arrive are not accepted. */
    void close(CloseReason reason);

    /**
     * Authenticates the client again. Returns false when another token of this connection is being checked; then the
     * answer is not called.
     */
    boolean authenticate(
            Credentials credentials, BiConsumer<@Nullable Authentication, @Nullable RealtimeException> answer);

    /**
     * Closes with 4300 at this time; null means never. Replaces the deadline of the handshake, or of an earlier token.
     */
    void expireAt(@Nullable Instant end);
}
