package io.realtime.internal.calls;

import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Envelope;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/**
 * What one side of a session has asked the other, and is not answered to its end. Each question ends once, whoever comes
 * first: the answer, an error, its timeout, its canceller, the end of the session. Safe for use by many threads.
 */
public final class Questions {
    /** So many may be open; the next is refused with {@code overloaded}. */
    public static final int MOST = 1_000;

    private final String prefix;
    private final ConcurrentHashMap<String, Question> open = new ConcurrentHashMap<>();
    private final AtomicLong lastRef = new AtomicLong();

    /** What becomes of a question. */
    public interface Question {
        /** The answer to a request. */
        default void reply(Envelope reply) {}

        /** An item of a stream; more may come. */
        default void item(Envelope item) {}

        /** A stream is complete. */
        default void end(Envelope end) {}

        /** There will be no answer, or no more of it. */
        void failed(RealtimeException why);
    }

    /**
     * @param prefix of the refs, which nobody else has: a late answer to a session before, or to a process before, must not be
     *     taken for one to a question of these
     */
    public Questions(String prefix) {
        this.prefix = prefix;
    }

    /** Returns a ref that was never used before. */
    public String newRef() {
        return prefix + lastRef.incrementAndGet();
    }

    /** Notes a question that is about to be asked; false when too many are open. */
    public boolean open(String ref, Question question) {
        open.put(ref, question);
        if (open.size() <= MOST) {
            return true;
        }
        open.remove(ref);
        return false;
    }

    /** Returns a question that is open, or null. */
    public @Nullable Question get(String ref) {
        return open.get(ref);
    }

    /** Returns whether no question is open. */
    public boolean isEmpty() {
        return open.isEmpty();
    }

    /** Looks at what is open. */
    public void forEach(BiConsumer<String, Question> action) {
        Steps.each(open.entrySet(), entry -> action.accept(entry.getKey(), entry.getValue()));
    }

    /** Forgets a question, whatever still comes; false when it was not open. */
    public boolean close(String ref) {
        return open.remove(ref) != null;
    }

    /** Takes an answer; false when it is to no question of these. */
    public boolean reply(Envelope reply) {
        Question question = remove(reply.ref());
        if (question != null) {
            question.reply(reply);
        }
        return question != null;
    }

    /** Takes an item; one of a stream that is over is dropped. */
    public void item(Envelope item) {
        Question question = item.ref() == null ? null : open.get(item.ref());
        if (question != null) {
            question.item(item);
        }
    }

    /** Takes the end of a stream. */
    public void end(Envelope end) {
        Question question = remove(end.ref());
        if (question != null) {
            question.end(end);
        }
    }

    /** Ends a question without an answer; false when it is not open. */
    public boolean fail(@Nullable String ref, RealtimeException why) {
        Question question = remove(ref);
        if (question != null) {
            question.failed(why);
        }
        return question != null;
    }

    /** Ends all. */
    public void failAll(RealtimeException why) {
        forEach((ref, question) -> fail(ref, why));
    }

    private @Nullable Question remove(@Nullable String ref) {
        return ref == null ? null : open.remove(ref);
    }
}
