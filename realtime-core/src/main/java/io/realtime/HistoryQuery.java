package io.realtime;

import org.jspecify.annotations.Nullable;

/**
 * A query of a part of a room's log. At most one of the two positions is given. Without a position the query is for the
 * newest messages.
 *
 * @param limit how many messages at most, 1 to {@value #MOST}; the server may give fewer, and {@link HistoryPage#more}
 *     says so
 * @param before the position before which the messages must be, or null
 * @param after the position after which the messages must be, or null
 */
public record HistoryQuery(
        int limit, @Nullable Position before, @Nullable Position after) {
    /** The most messages of a page. */
    public static final int MOST = 1000;

    /**
     * Creates a query.
     *
     * @throws IllegalArgumentException when the limit is not 1 to {@value #MOST}, or both positions are given
     */
    public HistoryQuery {
        if (limit < 1 || limit > MOST) {
            throw new IllegalArgumentException("limit " + limit + " is not 1 to " + MOST);
        }
        if (before != null && after != null) {
            throw new IllegalArgumentException("both before " + before + " and after " + after);
        }
    }

    /** Returns a query for the newest messages. */
    public static HistoryQuery newest(int limit) {
        return new HistoryQuery(limit, null, null);
    }

    /** Returns a query for the newest messages before the one at this position. */
    public static HistoryQuery before(Position position, int limit) {
        return new HistoryQuery(limit, position, null);
    }

    /** Returns a query for the oldest messages after this position that the log still has. */
    public static HistoryQuery after(Position position, int limit) {
        return new HistoryQuery(limit, null, position);
    }
}
