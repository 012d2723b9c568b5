package io.realtime.internal.calls;

import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Envelope;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * The open requests and streams that one side of a session has sent to the other. Each ends once, by the first of
 * these: the answer, an error, its timeout, its cancellation, the end of the session. Safe for use by many threads.
 */
public final class OpenRequests {
    /** The bound of open requests and streams; the next is refused with {@code overloaded}. */
    public static final int MOST = 1_000;

    private final String prefix;
    private final ConcurrentHashMap<String, AnswerHandler> open = new ConcurrentHashMap<>();
    private final AtomicLong lastRef = new AtomicLong();

    /** A handler of the outcome of a request or stream. */
    public interface AnswerHandler {
        /** Handles the answer to a request. */
        default void reply(Envelope reply) {}

        /** Handles an item of a stream; more may follow. */
        default void item(Envelope item) {}

        /** Handles the end of a complete stream. */
        default void end(Envelope end) {}

        /** Handles a failure: no answer, or no further item, will come. */
        void failed(RealtimeException why);
    }

    /**
     * Creates a table without requests.
     *
     * @param prefix a unique prefix for the refs. So a late answer to an earlier session or process is never taken for
     *     one to a request of this table
     */
    public OpenRequests(String prefix) {
        this.prefix = prefix;
    }

    /** Returns a new ref. */
    public String newRef() {
        return prefix + lastRef.incrementAndGet();
    }

    /** Adds a request that is about to be sent; false if too many are open. */
    public boolean open(String ref, AnswerHandler request) {
        open.put(ref, request);
        if (open.size() <= MOST) {
            return true;
        }
        open.remove(ref);
        return false;
    }

    /** Returns an open request, or null. */
    public @Nullable AnswerHandler get(String ref) {
        return open.get(ref);
    }

    /** Returns whether no request is open. */
    public boolean isEmpty() {
        return open.isEmpty();
    }

    /** Visits the open requests. */
    public void forEach(BiConsumer<String, AnswerHandler> action) {
        Steps.each(open.entrySet(), entry -> action.accept(entry.getKey(), entry.getValue()));
    }

    /** Removes a request, so that nothing more reaches it; false if it was not open. */
    public boolean close(String ref) {
        return open.remove(ref) != null;
    }

    /** Handles an answer; false if it belongs to no open request. */
    public boolean reply(Envelope reply) {
        AnswerHandler request = remove(reply.ref());
        if (request != null) {
            request.reply(reply);
        }
        return request != null;
    }

    /** Handles an item; dropped if its stream is over. */
    public void item(Envelope item) {
        AnswerHandler request = item.ref() == null ? null : open.get(item.ref());
        if (request != null) {
            request.item(item);
        }
    }

    /** Handles the end of a stream. */
    public void end(Envelope end) {
        AnswerHandler request = remove(end.ref());
        if (request != null) {
            request.end(end);
        }
    }

    /** Ends a request without an answer; false if it is not open. */
    public boolean fail(@Nullable String ref, RealtimeException why) {
        AnswerHandler request = remove(ref);
        if (request != null) {
            request.failed(why);
        }
        return request != null;
    }

    /** Ends all requests without an answer. */
    public void failAll(RealtimeException why) {
        forEach((ref, request) -> fail(ref, why));
    }

    private @Nullable AnswerHandler remove(@Nullable String ref) {
        return ref == null ? null : open.remove(ref);
    }
}
