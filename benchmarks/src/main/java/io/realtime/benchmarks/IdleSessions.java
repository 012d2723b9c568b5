package io.realtime.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * What an idle managed session keeps on the heap beside its transport's connection: connected, and with its connection
 * lost. Each session has a user and a client id of its own and is in no room but its inboxes.
 */
final class IdleSessions {
    private static final int FIRST = 100; // of other users, before counting: classes, caches, pools

    private IdleSessions() {}

    /**
     * What some sessions cost.
     *
     * @param sessions how many there are
     * @param heap what the JVM counts more than without them, by class
     * @param parts what is reachable from the server, by part
     */
    record Cost(int sessions, Histogram heap, Map<String, Histogram.Count> parts) {
        long bytesPerSession() {
            return Math.round((double) heap.bytes() / sessions);
        }

        /** Returns how much of what the JVM counts was attributed to a part: near 1, or the parts say little. */
        double attributed() {
            return (double) parts.values().stream()
                            .mapToLong(Histogram.Count::bytes)
                            .sum()
                    / heap.bytes();
        }
    }

    /** What the same sessions cost in both states. */
    record Result(Cost connected, Cost detached) {}

    /** Opens sessions, counts, cuts their connections, and counts again. */
    static Result measure(int sessions) {
        try (NullServer server = new NullServer(builder -> builder)) {
            for (int i = 0; i < FIRST; i++) {
                server.open("first-" + i);
            }
            List<NullConnection> connections = new ArrayList<>(sessions);
            for (int i = 0; i < sessions; i++) {
                connections.add(new NullConnection(i));
            }
            Histogram before = Histogram.take();
            for (int i = 0; i < sessions; i++) {
                server.upgrade(connections.get(i));
                server.begin(connections.get(i), "user-" + (10_000_000 + i));
            }
            Cost connected = cost(server, sessions, before);
            connections.forEach(NullConnection::cut);
            server.work();
            Cost detached = cost(server, sessions, before);
            if (server.server().connections().sessions().size() != FIRST + sessions) {
                throw new IllegalStateException("sessions ended");
            }
            return new Result(connected, detached);
        }
    }

    private static Cost cost(NullServer server, int sessions, Histogram before) {
        Histogram now = Histogram.take();
        return new Cost(sessions, now.since(before), HeapWalk.from(server.server(), now));
    }
}
