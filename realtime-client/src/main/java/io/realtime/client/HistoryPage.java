package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Payloads;
import io.realtime.internal.wire.Protocol;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Part of a room's log, as {@link ClientRoom#history} read it. Immutable. */
public final class HistoryPage {
    private final HistoryQuery query;
    private final Protocol.History answer;
    private final List<Envelope> messages;
    private final Payloads payloads;
    private final Consumer<Throwable> errors;

    /** @throws RealtimeException when the messages are not what was asked for, in order, or the next page would not go on */
    HistoryPage(
            HistoryQuery query,
            Protocol.History answer,
            List<Envelope> messages,
            Payloads payloads,
            Consumer<Throwable> errors) {
        this.query = query;
        this.answer = answer;
        this.messages = messages;
        this.payloads = payloads;
        this.errors = errors;
        long after = query.after() == null ? 0 : query.after().offset();
        long before = query.before() == null ? Long.MAX_VALUE : query.before().offset();
        long last = Math.max(after, answer.floor());
        for (Envelope message : messages) {
            if (message.isProtocol() || message.offset() <= last || message.offset() >= before) {
                throw nonsense("'" + message.type() + "' at " + message.offset() + ", behind " + last + " and before "
                        + before);
            }
            last = message.offset();
        }
        long next = answer.next();
        long first = messages.isEmpty() ? before - 1 : messages.get(0).offset();
        boolean goesOn = query.after() != null
                ? next >= last && (next > after || !answer.more())
                : (next > 0 && next <= first) || !answer.more();
        if (answer.floor() < 0 || !goesOn) {
            throw nonsense("next " + next + " and floor " + answer.floor());
        }
    }

    private static RealtimeException nonsense(String what) {
        return new RealtimeException(ErrorCode.BAD_DATA, "the server answered $history with " + what);
    }

    /**
     * Returns the messages of one event, oldest first; those of others are left out. So is one whose payload does not fit,
     * of which {@link ClientListener#onError} is told, as when it arrives.
     */
    public <T> List<Message<T>> messages(Event<T> event) {
        Payload payload = payloads.of(event.type());
        List<Message<T>> some = new ArrayList<>();
        for (Envelope message : messages) {
            if (message.type().equals(event.name())) {
                try {
                    some.add(message.message(payload, answer.epoch(), message.ts()));
                } catch (Throwable unfit) { // an Error, too, of the application's types: it must not cost the others
                    errors.accept(unfit);
                }
            }
        }
        return some;
    }

    /**
     * Returns the place up to which the reader now knows the log: for {@code after}, where this page ends; else that of its
     * newest message, of whatever event, or the beginning of the log where there is none. A {@link Reload} that loads the
     * newest page completes with it.
     */
    public Position position() {
        long newest = messages.isEmpty() ? 0 : messages.get(messages.size() - 1).offset();
        return new Position(answer.epoch(), query.after() == null ? newest : answer.next());
    }

    /**
     * Returns whether the log has more in the direction of the query: newer messages for {@code after}, else older. Also an
     * empty page may have more behind it, when what the server looked at is meant for others.
     */
    public boolean more() {
        return answer.more();
    }

    /**
     * Returns whether the log no longer keeps messages that this page or those before it were to show: for {@code after},
     * some that came directly behind that place; else, on the last page, older ones.
     */
    public boolean trimmed() {
        return query.after() == null
                ? !answer.more() && answer.floor() > 0
                : answer.floor() > query.after().offset();
    }

    /**
     * Returns the query that goes on where this page ends, in the same direction.
     *
     * @throws IllegalStateException when there is no {@link #more}
     */
    public HistoryQuery next() {
        if (!answer.more()) {
            throw new IllegalStateException("there is no more");
        }
        Position next = new Position(answer.epoch(), answer.next());
        return query.after() != null
                ? HistoryQuery.after(next, query.limit())
                : HistoryQuery.before(next, query.limit());
    }

    /** Names no payload. */
    @Override
    public String toString() {
        return "HistoryPage{messages=" + messages.size() + ", position=" + position() + ", more=" + answer.more()
                + ", trimmed=" + trimmed() + "}";
    }
}
