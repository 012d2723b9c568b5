package io.realtime.server;

import io.realtime.CloseReason;
import java.time.Duration;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * What a server holds at one moment, and what it has counted since it began. Each number is exact, but they may be of
 * slightly different moments.
 *
 * @param connections open connections, unauthenticated ones included
 * @param sessions sessions that are open, that wait for their client, or that drain; bounded by {@link Limits#sessions}
 * @param online those of them that have a connection
 * @param users users with such a session
 * @param rooms rooms with members or a log, inboxes included
 * @param logBytes bytes of heap that all rooms, their members and their logs take; bounded by {@link Limits#logBytes}
 * @param clients client instances with a client record, which deduplicates their messages
 * @param waiting messages that were received and whose handlers have not returned; for each client at most {@link
 *     Limits#mailbox}, and one whose handler runs
 * @param handlersBusy handlers, listeners and callbacks that run now or block
 * @param handlersWaiting sessions with a message, and callbacks, that wait for a thread
 * @param rejections tasks that an executor has rejected since the server began; they were started later
 * @param traffic connections, messages and bytes
 * @param recovery what members were sent again, and what was lost
 * @param evictions what was dropped to keep a limit that many share
 * @param refusedConnections connections that were refused before they were open, by cause: {@code limit} ({@link
 *     Limits#connections} or {@link Limits#connectionsPerAddress}), {@code draining}, {@code path}, {@code origin},
 *     {@code subprotocol}. What is refused later, such as a token, is a close
 * @param refusedMessages messages that were answered with an error, by its {@linkplain io.realtime.ErrorCode code}.
 *     From 100 codes on, further ones are {@code other}
 * @param closes connections that have closed, by close code. A code that a peer has invented counts as 0
 * @param queueWait how long messages waited from their receipt until they were handled: for messages before them, for
 *     their rate, and for a thread
 * @param handlerTime how long the handlers of the application's messages ran on their threads, with rules that answer
 *     at once. An asynchronous handler ends here when it returns
 */
public record ServerStats(
        int connections,
        int sessions,
        int online,
        int users,
        int rooms,
        long logBytes,
        int clients,
        int waiting,
        int handlersBusy,
        int handlersWaiting,
        long rejections,
        Traffic traffic,
        Recovery recovery,
        Evictions evictions,
        Map<String, Long> refusedConnections,
        Map<String, Long> refusedMessages,
        Map<Integer, Long> closes,
        Times queueWait,
        Times handlerTime) {
    /** Creates statistics; applications call this in their tests. The maps are copied and sorted. */
    public ServerStats {
        refusedConnections = Collections.unmodifiableMap(new TreeMap<>(refusedConnections));
        refusedMessages = Collections.unmodifiableMap(new TreeMap<>(refusedMessages));
        closes = Collections.unmodifiableMap(new TreeMap<>(closes));
    }

    /** Returns how many sessions are kept without a connection. */
    public int kept() {
        return sessions - online;
    }

    /** Returns how many connections were closed because their peers read too slowly. */
    public long slowConsumers() {
        return closes.getOrDefault(CloseReason.SLOW_CONSUMER, 0L);
    }

    /**
     * Traffic since the server began.
     *
     * @param connections connections whose upgrade was accepted
     * @param messagesIn messages received, those of the protocol included
     * @param bytesIn their bytes; a character of text counts as one byte
     * @param messagesOut messages handed to connections, those of the protocol included, and those that a slow
     *     connection did not take
     * @param bytesOut their bytes, with the headers of their frames
     */
    public record Traffic(long connections, long messagesIn, long bytesIn, long messagesOut, long bytesOut) {}

    /**
     * Recovery since the server began.
     *
     * @param replays positions of clients from which a log was sent again; each room counts
     * @param replayedMessages messages sent from logs: in replays, and as the history of a join
     * @param gaps gaps that clients were told of, since a log no longer held what they had missed
     */
    public record Recovery(long replays, long replayedMessages, long gaps) {}

    /**
     * Evictions since the server began.
     *
     * @param sessions sessions that ended to make room for others: by {@link Limits#sessions} or {@link
     *     Limits#sessionsPerUser}
     * @param messages messages that logs dropped to keep {@link Limits#logBytes}
     */
    public record Evictions(long sessions, long messages) {}

    /**
     * A distribution of times. The percentiles are of the last 30 to 60 s, and at most 12.5 % too long; they are zero
     * when there was nothing to measure.
     *
     * @param count how many times were measured since the server began
     * @param total their sum
     * @param p50 the median
     * @param p95 95 % were not longer
     * @param p99 99 % were not longer
     * @param max the longest
     */
    public record Times(long count, Duration total, Duration p50, Duration p95, Duration p99, Duration max) {}
}
