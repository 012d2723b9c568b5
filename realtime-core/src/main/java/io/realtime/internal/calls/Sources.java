package io.realtime.internal.calls;

import io.realtime.internal.Steps;
import io.realtime.internal.wire.ErrorData;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** The streams that one side of a session produces for the other, by their refs. Safe for use by many threads. */
public final class Sources {
    /** So much late credit is expected at most: as many streams as the other side may have open, each a window. */
    private static final long MOST_LATE = (long) Questions.MOST * StreamCall.WINDOW;

    private final int most;
    private final ConcurrentHashMap<String, StreamSource<?>> open = new ConcurrentHashMap<>();
    private final AtomicLong late = new AtomicLong(); // credits that may still come for streams that are over

    /** @param most how many there may be */
    public Sources(int most) {
        this.most = most;
    }

    /** Notes a stream that is about to begin; false when there are too many. */
    public boolean add(String ref, StreamSource<?> source) {
        if (open.size() >= most) {
            return false;
        }
        open.put(ref, source);
        return true;
    }

    /** Returns whether a stream has this ref. */
    public boolean has(String ref) {
        return open.containsKey(ref);
    }

    /** Forgets a stream that is over. */
    public void remove(String ref) {
        StreamSource<?> source = open.remove(ref);
        if (source != null) {
            long unused = source.unusedGrants();
            late.updateAndGet(known -> Math.min(MOST_LATE, known + unused));
        }
    }

    /**
     * Lets streams go on; false when that is no {@linkplain StreamSource#grant progress}, and the other side had no reason to
     * say it: it may not know yet that a stream is over, and says no more of one than it has items.
     */
    public boolean grant(Map<String, Long> streams) {
        boolean isProgress = false;
        for (Map.Entry<String, Long> stream : streams.entrySet()) {
            StreamSource<?> source = open.get(stream.getKey());
            Long upTo = stream.getValue();
            isProgress |= source != null && upTo != null && source.grant(upTo);
        }
        return isProgress || late.getAndUpdate(known -> Math.max(0, known - 1)) > 0;
    }

    /** There may be room again for items. */
    public void roomAgain() {
        Steps.each(open.values(), StreamSource::roomAgain);
    }

    /** Cancels one stream, if it is there. */
    public void cancel(String ref) {
        StreamSource<?> source = open.get(ref);
        if (source != null) {
            source.cancel();
        }
    }

    /** Ends one stream, if it is there, as if it were cancelled; the receiver hears why. */
    public void abort(String ref, ErrorData why) {
        StreamSource<?> source = open.get(ref);
        if (source != null) {
            source.abort(why);
        }
    }

    /** Cancels all. */
    public void cancelAll() {
        Steps.each(open.values(), StreamSource::cancel);
    }
}
