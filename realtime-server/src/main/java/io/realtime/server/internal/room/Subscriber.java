package io.realtime.server.internal.room;

import io.realtime.server.Member;
import io.realtime.server.Session;
import io.realtime.server.User;
import io.realtime.spi.WireMessage;
import java.time.Instant;
import java.util.List;

/** What a room knows of a session that is in it. */
public interface Subscriber extends Session {
    /** Returns the id of the user, without creating a {@link User}. */
    String userId();

    /**
     * Returns what others see of the session as a member of a room.
     *
     * @param since when it became a member, in milliseconds of the server's clock
     */
    default Member member(long since) {
        return new Member(id(), userId(), tags(), isConnected(), Instant.ofEpochMilli(since));
    }

    /** Returns the session's tags, now and earlier. */
    TagHistory tagHistory();

    /** Takes the session out of a room and tells its client why. Does nothing if it is not in the room. */
    void leave(String room, String reason);

    /** Notes that the log of the session's own inbox has lost messages that the client has not received. */
    void inboxLost();

    /**
     * Returns why messages of the client were refused, the oldest first. The client is told of them before it is told of
     * a gap in its inbox. It ignores those that it knows already.
     *
     * @param above only messages with a higher number
     * @param bytes the maximum length of all of them together; the first is returned whatever its length
     */
    List<RefusalNotice> refusals(long above, int bytes);

    /** The error that tells a client again why its message with this number was refused. */
    record RefusalNotice(long seq, WireMessage error) {}
}
