package io.realtime.internal.calls;

import io.realtime.internal.Steps;
import io.realtime.internal.wire.ErrorData;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;

/** The streams that one side of a session produces for the other, by their refs. Safe for use by many threads. */
public final class Sources {
    /** The bound of the late credits that are expected: a window for each stream that the other side may have open. */
    private static final long MOST_LATE = (long) OpenRequests.MOST * StreamCall.WINDOW;

    private final int most;
    private final ConcurrentHashMap<String, StreamSource<?>> open = new ConcurrentHashMap<>();
    // Credits that may still arrive for streams that are over.
    private final AtomicLong late = new AtomicLong();

    /**
     * Creates a table of at most so many streams.
     *
     * @param most how many streams may be open
     */
    public Sources(int most) {
        this.most = most;
    }

    /** Adds a stream that is about to begin; false if too many are open. */
    public boolean add(String ref, StreamSource<?> source) {
        if (open.size() >= most) {
            return false;
        }
        open.put(ref, source);
        return true;
    }

    /** Returns whether a stream with this ref is open. */
    public boolean has(String ref) {
        return open.containsKey(ref);
    }

    /** Removes a stream that is over. */
    public void remove(String ref) {
        StreamSource<?> source = open.remove(ref);
        if (source != null) {
            long unused = source.unusedGrants();
            late.updateAndGet(known -> Math.min(MOST_LATE, known + unused));
        }
    }

    /**
     * Grants credit to streams. Returns false if that is no {@linkplain StreamSource#granted progress} and cannot be
     * explained as late credit. Late credit is legitimate: the receiver may not know yet that a stream is over, and it
     * sends at most one credit for each item.
     */
    public boolean granted(Map<String, Long> streams) {
        boolean isProgress = false;
        for (Map.Entry<String, Long> stream : streams.entrySet()) {
            StreamSource<?> source = open.get(stream.getKey());
            Long upTo = stream.getValue();
            isProgress |= source != null && upTo != null && source.granted(upTo);
        }
        return isProgress || late.getAndUpdate(known -> Math.max(0, known - 1)) > 0;
    }

    /** Signals that there may be room for items again. */
    public void roomAgain() {
        Steps.each(open.values(), StreamSource::roomAgain);
    }

    /** Cancels a stream; does nothing if it is not open. */
    public void cancel(String ref) {
        StreamSource<?> source = open.get(ref);
        if (source != null) {
            source.cancel();
        }
    }

    /** Cancels a stream and tells the receiver the reason; does nothing if it is not open. */
    public void abort(String ref, ErrorData why) {
        StreamSource<?> source = open.get(ref);
        if (source != null) {
            source.abort(why);
        }
    }

    /** Cancels all streams. */
    public void cancelAll() {
        Steps.each(open.values(), StreamSource::cancel);
    }
}
