package io.realtime.client;

import io.realtime.Event;
import io.realtime.Message;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Payloads;
import io.realtime.internal.wire.Protocol;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** A part of a room's log, as {@link ClientRoom#history} read it. Immutable. */
public final class HistoryPage {
    private final HistoryQuery query;
    private final Protocol.History answer;
    private final List<Envelope> messages;
    private final Payloads payloads;
    private final Consumer<Throwable> errors;

    /**
     * @throws RealtimeException when the messages do not match the query or are not in order, or the next page would
     *     not advance
     */
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
        return new PayloadException("the server answered $history with " + what);
    }

    /**
     * Returns the messages of one event, oldest first, without those of other events. A message whose payload does not
     * fit is left out and reported to {@link ClientListener#onError}, as when it arrives live.
     */
    public <T> List<Message<T>> messages(Event<T> event) {
        Payload payload = payloads.of(event.type());
        List<Message<T>> some = new ArrayList<>();
        for (Envelope message : messages) {
            if (message.type().equals(event.name())) {
                try {
                    some.add(message.message(payload, answer.epoch(), message.ts()));
                } catch (Throwable unfit) {
                    // Also an Error of the application's types: it must not cost the other messages.
                    errors.accept(unfit);
                }
            }
        }
        return some;
    }

    /**
     * Returns the position up to which the reader now knows the log. For {@code after} it is the end of this page.
     * Otherwise it is the position of the page's newest message, of any event, or the beginning of the log if the page
     * is empty. A {@link Reload} that loads the newest page completes with it.
     */
    public Position position() {
        long newest = messages.isEmpty() ? 0 : messages.get(messages.size() - 1).offset();
        return new Position(answer.epoch(), query.after() == null ? newest : answer.next());
    }

    /**
     * Returns true if the log has more in the direction of the query: newer messages for {@code after}, otherwise older
     * ones. Even after an empty page there may be more, if the messages that the server looked at are meant for others.
     */
    public boolean more() {
        return answer.more();
    }

    /**
     * Returns true if the log no longer has messages that this page or the pages before it should show. For {@code
     * after} these are messages directly after that position; otherwise, on the last page, older ones.
     */
    public boolean trimmed() {
        return query.after() == null
                ? !answer.more() && answer.floor() > 0
                : answer.floor() > query.after().offset();
    }

    /**
     * Returns the query for the next page, in the same direction.
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

    /** Returns a description without payloads. */
    @Override
    public String toString() {
        return "HistoryPage{messages=" + messages.size() + ", position=" + position() + ", more=" + answer.more()
                + ", trimmed=" + trimmed() + "}";
    }
}
