package io.realtime.benchmarks;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The heap that an idle managed session takes besides its transport's connection, while connected and after its
 * connection is lost. Each session has its own user and client id, and is in no room but its inboxes.
 */
final class IdleSessions {
    // Sessions of other users, opened before counting: for classes, caches and pools.
    private static final int FIRST = 100;

    private IdleSessions() {}

    /**
     * The cost of some sessions.
     *
     * @param sessions how many there are
     * @param heap the increase that the JVM counts, by class
     * @param parts what is reachable from the server, by part
     */
    record Cost(int sessions, Histogram heap, Map<String, Histogram.Count> parts) {
        long bytesPerSession() {
            return Math.round((double) heap.bytes() / sessions);
        }

        /**
         * Returns which share of what the JVM counts was attributed to a part. If it is not near 1, the parts say
         * little.
         */
        double attributed() {
            return (double) parts.values().stream()
                            .mapToLong(Histogram.Count::bytes)
                            .sum()
                    / heap.bytes();
        }
    }

    /** The cost of the same sessions in both states. */
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
