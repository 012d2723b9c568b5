package io.realtime.client;

import io.realtime.Position;
import org.jspecify.annotations.Nullable;

/**
 * Which messages of a room's log to read. At most one of the two places is given; with neither it is the newest
 * messages.
 *
 * @param limit at most so many messages, 1 to {@value #MOST}; the server may give fewer, and {@link HistoryPage#more}
 *     says so
 * @param before only messages before the one at this place, or null
 * @param after only messages behind this place, or null
 */
public record HistoryQuery(
        int limit, @Nullable Position before, @Nullable Position after) {
    /** The most messages of a page. */
    public static final int MOST = 1000;

    /**
     * A query.
     *
     * @throws IllegalArgumentException when the limit is not 1 to {@value #MOST}, or both places are given
     */
    public HistoryQuery {
        if (limit < 1 || limit > MOST) {
            throw new IllegalArgumentException("limit " + limit + " is not 1 to " + MOST);
        }
        if (before != null && after != null) {
            throw new IllegalArgumentException("both before " + before + " and after " + after);
        }
    }

    /** The newest messages. */
    public static HistoryQuery newest(int limit) {
        return new HistoryQuery(limit, null, null);
    }

    /** The newest messages before the one at this place. */
    public static HistoryQuery before(Position position, int limit) {
        return new HistoryQuery(limit, position, null);
    }

    /** The oldest messages behind this place that the log still has. */
    public static HistoryQuery after(Position position, int limit) {
        return new HistoryQuery(limit, null, position);
    }
}
