package io.realtime.server.internal.stats;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.server.ServerStats.Evictions;
import io.realtime.server.ServerStats.Recovery;
import io.realtime.server.ServerStats.Times;
import io.realtime.server.ServerStats.Traffic;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * What one server has counted since it began. Counting takes no lock and, for messages, allocates nothing: each counter
 * is a {@link LongAdder}, which gives threads that contend for it cells of their own. Reading adds the cells up, and
 * asks no session, room or connection. Safe for use by many threads.
 */
public final class Counters {
    /** How many causes, or close codes, are counted by name. Applications and peers choose some; the rest are "other". */
    private static final int MOST_NAMES = 100;

    /** The name of all causes that are not counted by name. */
    public static final String OTHER = "other";

    private static final int OTHER_CODE = 0;
    /** The close codes that are counted if a peer sends them. */
    private static final Set<Integer> FROM_PEERS = Set.of(
            CloseReason.NORMAL,
            CloseReason.GOING_AWAY,
            CloseReason.WEBSOCKET_PROTOCOL_ERROR,
            CloseReason.NO_STATUS,
            CloseReason.ABNORMAL,
            CloseReason.UNAUTHORIZED,
            CloseReason.TOO_BIG,
            CloseReason.INTERNAL_ERROR,
            CloseReason.SERVICE_RESTART,
            CloseReason.PROTOCOL_ERROR,
            CloseReason.SLOW_CONSUMER,
            CloseReason.HEARTBEAT_TIMEOUT);

    /** The codes of this library. They are counted by name, however many others there are. */
    private static final Set<String> OWN = Stream.of(
                    ErrorCode.BAD_MESSAGE,
                    ErrorCode.BAD_DATA,
                    ErrorCode.UNKNOWN_TYPE,
                    ErrorCode.NO_HANDLER,
                    ErrorCode.UNAUTHORIZED,
                    ErrorCode.TOKEN_EXPIRED,
                    ErrorCode.FORBIDDEN,
                    ErrorCode.RATE_LIMITED,
                    ErrorCode.OVERLOADED,
                    ErrorCode.TOO_BIG,
                    ErrorCode.INTERNAL,
                    ErrorCode.CONNECTION_LOST,
                    ErrorCode.TIMEOUT,
                    ErrorCode.CANCELLED,
                    ErrorCode.CLOSED)
            .map(ErrorCode::value)
            .collect(Collectors.toUnmodifiableSet());

    private final LongAdder connections = new LongAdder();
    private final LongAdder messagesIn = new LongAdder();
    private final LongAdder bytesIn = new LongAdder();
    private final LongAdder messagesOut = new LongAdder();
    private final LongAdder bytesOut = new LongAdder();
    private final LongAdder replays = new LongAdder();
    private final LongAdder replayedMessages = new LongAdder();
    private final LongAdder gaps = new LongAdder();
    private final LongAdder evictedSessions = new LongAdder();
    private final LongAdder evictedMessages = new LongAdder();
    private final Map<String, LongAdder> refusedConnections = new ConcurrentHashMap<>();
    private final Map<String, LongAdder> refusedMessages = new ConcurrentHashMap<>();
    private final Map<Integer, LongAdder> closes = new ConcurrentHashMap<>();
    private final TimeHistogram queueWait = new TimeHistogram();
    private final TimeHistogram handlerTime = new TimeHistogram();

    /** Counts a connection whose upgrade was accepted. */
    public void connected() {
        connections.increment();
    }

    /** Counts a connection that was refused before it was open. */
    public void refusedConnection(String cause) {
        increment(refusedConnections, cause, OTHER);
    }

    /** Counts a connection that has closed. */
    public void closed(CloseReason reason, boolean byPeer) {
        boolean isNamed = !byPeer || FROM_PEERS.contains(reason.code());
        increment(closes, isNamed ? reason.code() : OTHER_CODE, OTHER_CODE);
    }

    /** Counts a message that a connection has received. */
    public void received(int bytes) {
        messagesIn.increment();
        bytesIn.add(bytes);
    }

    /** Counts messages that were handed to connections. */
    public void sent(long messages, long bytes) {
        messagesOut.add(messages);
        bytesOut.add(bytes);
    }

    /** Counts a message that was answered with an error. */
    public void refusedMessage(String code) {
        increment(refusedMessages, code, OTHER);
    }

    /** Counts a position from which a member is sent what its log holds. */
    public void replayBegins() {
        replays.increment();
    }

    /** Counts messages that a replay has sent; {@link #sent} counts them too. */
    public void replayed(int messages) {
        replayedMessages.add(messages);
    }

    /** Counts a gap that a client is told of. */
    public void gap() {
        gaps.increment();
    }

    /** Counts a session that ended to make room for another. */
    public void evictedSession() {
        evictedSessions.increment();
    }

    /** Counts messages that logs have dropped to keep the budget of all logs. */
    public void evictedMessages(int messages) {
        evictedMessages.add(messages);
    }

    /** Returns the times that messages have waited, from their receipt until they were handled. */
    public TimeHistogram queueWait() {
        return queueWait;
    }

    /** Returns the times that the handling of the application's messages has taken. */
    public TimeHistogram handlerTime() {
        return handlerTime;
    }

    /** Begins another interval of the percentiles. */
    public void mark() {
        queueWait.mark();
        handlerTime.mark();
    }

    private static <K> void increment(Map<K, LongAdder> counters, K name, K other) {
        LongAdder known = counters.get(name);
        if (known == null) {
            // Threads that race may exceed the bound by their number.
            boolean isNamed = counters.size() < MOST_NAMES || (name instanceof String own && OWN.contains(own));
            known = counters.computeIfAbsent(isNamed ? name : other, k -> new LongAdder());
        }
        known.increment();
    }

    // ---------------------------------------------------------------- reading

    public Traffic traffic() {
        return new Traffic(connections.sum(), messagesIn.sum(), bytesIn.sum(), messagesOut.sum(), bytesOut.sum());
    }

    public Recovery recovery() {
        return new Recovery(replays.sum(), replayedMessages.sum(), gaps.sum());
    }

    public Evictions evictions() {
        return new Evictions(evictedSessions.sum(), evictedMessages.sum());
    }

    public Map<String, Long> refusedConnections() {
        return sums(refusedConnections);
    }

    public Map<String, Long> refusedMessages() {
        return sums(refusedMessages);
    }

    public Map<Integer, Long> closes() {
        return sums(closes);
    }

    public Times queueWaits() {
        return queueWait.read();
    }

    public Times handlerTimes() {
        return handlerTime.read();
    }

    private static <K extends Comparable<K>> Map<K, Long> sums(Map<K, LongAdder> counters) {
        Map<K, Long> sums = new TreeMap<>();
        counters.forEach((name, count) -> sums.put(name, count.sum()));
        return sums;
    }
}
