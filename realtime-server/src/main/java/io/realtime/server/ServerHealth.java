package io.realtime.server;

import java.util.Comparator;
import java.util.List;

/**
 * Whether a server works, and what is wrong when it does not. A load balancer sends new clients to servers that are not
 * {@link Status#DOWN}; people look at those that are {@link Status#DEGRADED}.
 *
 * @param status the worst status of the reasons; UP when there is none
 * @param reasons what is wrong, the worst first
 */
public record ServerHealth(Status status, List<Reason> reasons) {
    /** How well a server works, the best first. */
    public enum Status {
        /** The server works. */
        UP,
        /** The server works, but some clients wait for longer than a second, or are refused. */
        DEGRADED,
        /** The server accepts no connections, or handles no messages. */
        DOWN
    }

    /**
     * One thing that is wrong.
     *
     * <table>
     *   <caption>The codes, and when they are reported</caption>
     *   <tr><th>code</th><th>DEGRADED</th><th>DOWN</th></tr>
     *   <tr><td>{@code not_started}, {@code closing}, {@code closed}</td><td>–</td><td>the server is not running</td></tr>
     *   <tr><td>{@code draining}</td><td>–</td><td>{@link RealtimeServer#drain} was called</td></tr>
     *   <tr><td>{@code listener}</td><td>–</td><td>the transport cannot accept connections</td></tr>
     *   <tr><td>{@code threads}</td><td>handlers, callbacks, rules or authentication wait for a thread for 1 s or
     *       more</td><td>for 5 s or more</td></tr>
     *   <tr><td>{@code timer}</td><td>timers run 1 s late or more</td><td>5 s late or more</td></tr>
     *   <tr><td>{@code connections}, {@code sessions}, {@code rooms}</td><td>{@link Limits#connections}, {@link
     *       Limits#sessions} or {@link Limits#rooms} is reached</td><td>–</td></tr>
     *   <tr><td>{@code memory}</td><td>rooms and their members take 95 % of their half of {@link
     *       Limits#logBytes}</td><td>–</td></tr>
     * </table>
     *
     * @param code what is wrong, as a stable word
     * @param status how bad it is
     * @param text the same for people, with numbers
     */
    public record Reason(String code, Status status, String text) {}

    /** Creates a health; the reasons are copied. */
    public ServerHealth {
        reasons = List.copyOf(reasons);
    }

    /** Returns the health that these reasons make. */
    public static ServerHealth of(List<Reason> reasons) {
        List<Reason> sorted = reasons.stream()
                .sorted(Comparator.comparing(Reason::status).reversed())
                .toList();
        return new ServerHealth(sorted.isEmpty() ? Status.UP : sorted.get(0).status(), sorted);
    }
}
