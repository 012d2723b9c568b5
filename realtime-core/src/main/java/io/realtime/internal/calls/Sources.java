package io.realtime.internal.calls;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The streams that one side of a session produces for the other, by their refs. Safe for use by many threads. */
public final class Sources {
    private final int most;
    private final ConcurrentHashMap<String, StreamSource<?>> open = new ConcurrentHashMap<>();

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
        open.remove(ref);
    }

    /** Lets streams go on; false when that is no {@linkplain StreamSource#grant progress}. */
    public boolean grant(Map<String, Long> streams) {
        boolean isProgress = false;
        for (Map.Entry<String, Long> stream : streams.entrySet()) {
            StreamSource<?> source = open.get(stream.getKey());
            Long upTo = stream.getValue();
            isProgress |= source != null && upTo != null && source.grant(upTo);
        }
        return isProgress;
    }

    /** There may be room again for items. */
    public void roomAgain() {
        open.values().forEach(StreamSource::roomAgain);
    }

    /** Cancels one stream, if it is there. */
    public void cancel(String ref) {
        StreamSource<?> source = open.get(ref);
        if (source != null) {
            source.cancel();
        }
    }

    /** Cancels all. */
    public void cancelAll() {
        open.values().forEach(StreamSource::cancel);
    }
}
