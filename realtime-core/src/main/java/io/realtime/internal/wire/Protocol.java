package io.realtime.internal.wire;

import com.google.gson.JsonElement;
import io.realtime.Position;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The names and payloads of the protocol's own frames, version 1; {@code docs/protocol.md} defines their meaning. */
public final class Protocol {
    /** The subprotocol of managed clients. */
    public static final String SUBPROTOCOL = "realtime.v1";

    public static final String HELLO = "$hello";
    public static final String WELCOME = "$welcome";
    public static final String AUTH = "$auth";
    public static final String JOIN = "$join";
    public static final String REJOIN = "$rejoin";
    public static final String LEAVE = "$leave";
    public static final String PRESENCE = "$presence";
    public static final String JOINED = "$joined";
    public static final String LEFT = "$left";
    public static final String HISTORY = "$history";
    public static final String PING = "$ping";
    public static final String PONG = "$pong";
    public static final String ACK = "$ack";
    public static final String REPLY = "$reply";
    public static final String ERROR = "$error";
    public static final String NEXT = "$next";
    public static final String END = "$end";
    public static final String CREDIT = "$credit";
    public static final String CANCEL = "$cancel";
    public static final String GAP = "$gap";
    public static final String DELETED = "$deleted";
    public static final String GOODBYE = "$goodbye";

    /** The longest {@code $hello}, token and positions included, in bytes. */
    public static final int MOST_HELLO_BYTES = 16 * 1024;

    /** The longest state of a session in a room, in characters. */
    public static final int MOST_STATE = 1024;

    private Protocol() {}

    /**
     * The client's first frame.
     *
     * @param partial true if the client has positions in more rooms than it names
     */
    public record Hello(
            @Nullable String token,
            @Nullable String client,
            @Nullable String session,
            @Nullable Map<String, Position> positions,
            @Nullable Boolean partial,
            @Nullable String agent,
            @Nullable Boolean heartbeat,
            @Nullable Integer messageBytes) {
        /** Returns nothing that is secret. */
        @Override
        public String toString() {
            return "Hello{agent=" + agent + "}";
        }
    }

    /**
     * The server's answer to {@code $hello}.
     *
     * @param partial true if the session is in more rooms than are named; the client sends {@code $rejoin}
     */
    public record Welcome(
            String session,
            @Nullable String user,
            boolean resumed,
            long seq,
            long answers,
            boolean known,
            Map<String, RoomPosition> rooms,
            @Nullable Boolean partial,
            HeartbeatMs heartbeat,
            LimitsData limits,
            Spread retry,
            @Nullable Long expiresAt) {
        /** Returns nothing that is secret. */
        @Override
        public String toString() {
            return "Welcome{user=" + user + ", resumed=" + resumed + "}";
        }
    }

    /** The position of a session in a room: the message that follows is the first after {@code offset}. */
    public record RoomPosition(
            String epoch,
            long offset,
            boolean recovered,
            @Nullable String reason) {
        /**
         * Returns true if the client had a position from which it could not continue; without a position there is no
         * reason.
         */
        public boolean isLost() {
            return !recovered && reason != null;
        }
    }

    /** The heartbeat in milliseconds. */
    public record HeartbeatMs(long intervalMs, long timeoutMs) {}

    /** The server's limits. */
    public record LimitsData(int messageBytes, int inflight, long inflightBytes, long ttlMs) {}

    /** Over how many milliseconds clients that lost this server spread their reconnects. */
    public record Spread(long spreadMs) {}

    /**
     * The payload of {@code $join}.
     *
     * @param presence whether the client is to be told of the room's presence; null changes nothing
     * @param state what others see of the session in this room; null changes nothing
     */
    public record Join(
            @Nullable Position since,
            @Nullable Integer history,
            @Nullable Boolean presence,
            @Nullable String state) {
        /** Creates the payload of a join that says nothing of presence. */
        public Join(@Nullable Position since, @Nullable Integer history) {
            this(since, history, null, null);
        }
    }

    /** The reply to {@code $join}. */
    public record JoinReply(
            String epoch,
            long offset,
            boolean recovered,
            @Nullable String reason,
            int members) {}

    /**
     * The payload of {@code $rejoin}: many joins.
     *
     * @param last true if this frame and earlier ones have named all rooms that the client knows
     */
    public record RejoinRequest(
            @Nullable Map<String, @Nullable Join> rooms,
            @Nullable Boolean last) {}

    /** The reply to {@code $rejoin}, by room. */
    public record RejoinReply(Map<String, Rejoined> rooms) {}

    /** The result for one of its rooms: the reply to its join, or why it was not joined. */
    public record Rejoined(
            @Nullable String epoch,
            long offset,
            boolean recovered,
            @Nullable String reason,
            int members,
            @Nullable ErrorData error) {}

    /**
     * The position in a room when the session left it.
     *
     * @param reason why the application closed the room, or null
     */
    public record LeaveReply(
            String epoch, long offset, @Nullable String reason) {}

    /**
     * The payload of a client's {@code $presence}. With {@code watch} true, or with neither, a snapshot follows.
     *
     * @param watch whether the client is to be told of the room's presence; null changes nothing
     * @param state what others see of the session in this room; empty for nothing, null changes nothing
     */
    public record PresenceRequest(
            @Nullable Boolean watch, @Nullable String state) {}

    /**
     * The payload of a server's {@code $presence}: a snapshot with {@code members}, counts with {@code online} and
     * {@code sessions}, or else differences.
     *
     * @param version the version of the presence that the frame leads to
     * @param before of differences: the version that they begin from
     */
    public record PresenceNotice(
            long version,
            @Nullable Long before,
            @Nullable List<PresentMember> members,
            @Nullable List<PresentMember> joined,
            @Nullable List<PresentMember> changed,
            @Nullable List<String> left,
            @Nullable Integer online,
            @Nullable Integer sessions) {}

    /** What members of a room see of one of them; {@code since} is in milliseconds of the server's clock. */
    public record PresentMember(
            String session,
            String user,
            @Nullable Map<String, String> tags,
            boolean connected,
            long since,
            @Nullable String state) {}

    /** The payload of {@code $history}. */
    public record HistoryRequest(
            @Nullable Long after,
            @Nullable Long before,
            @Nullable Integer limit) {}

    /**
     * The reply to {@code $history}: envelopes, oldest first.
     *
     * @param more whether the log has more messages in the direction of reading
     * @param next the {@code after} or {@code before} of the next page
     * @param floor the offset up to which nothing is kept any more
     */
    public record History(String epoch, List<JsonElement> messages, boolean more, long next, long floor) {}

    /** A fresh token. */
    public record Auth(@Nullable String token) {
        /** Returns nothing of the token. */
        @Override
        public String toString() {
            return "Auth{}";
        }
    }

    /** The reply to {@code $auth}; null when the token does not expire. */
    public record AuthReply(@Nullable Long expiresAt) {}

    /**
     * An acknowledgement: client messages up to {@code seq} are processed, and their answers are in {@code @session} up
     * to offset {@code answers}.
     */
    public record Ack(long seq, long answers) {}

    /** Up to which offset the client has handed the user's inbox to its application. */
    public record InboxAck(long offset) {}

    /**
     * How much more the client accepts. Each number is a total, so a credit may be repeated.
     *
     * @param read up to which offset the session's inbox has arrived
     * @param streams how many items of each stream are accepted, by its ref
     */
    public record Credit(@Nullable Long read, @Nullable Map<String, Long> streams) {}

    /** A gap in a live room; the messages that follow are after {@code offset}. */
    public record GapNotice(String epoch, long offset, String reason) {}

    /** The message at {@code offset} was deleted from the room's log. */
    public record DeletedNotice(long offset) {}

    /** The server drains. */
    public record Goodbye(Retry retry) {}

    /** When to reconnect, in milliseconds. */
    public record Retry(long minMs, long maxMs) {}
}
