package io.realtime.internal.wire;

import io.realtime.Event;
import io.realtime.HistoryPage;
import io.realtime.HistoryQuery;
import io.realtime.Message;
import io.realtime.PayloadException;
import io.realtime.Position;
import io.realtime.RealtimeException;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** A part of a room's log, checked against the query that it answers. Immutable. */
public final class LogPage implements HistoryPage {
    private final HistoryQuery query;
    private final Protocol.History answer;
    private final List<Envelope> messages;
    private final Payloads payloads;
    private final Consumer<Throwable> errors;

    /**
     * Creates a page.
     *
     * @param answer the answer without its messages
     * @param messages those of the answer
     * @param errors gets what is wrong with a message that does not fit its event
     * @throws RealtimeException when the messages do not match the query or are not in order, or the next page would
     *     not advance
     */
    public LogPage(
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
                throw nonsense("'" + message.type() + "' at " + message.offset() + ", after " + last + " and before "
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

    @Override
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

    @Override
    public Position position() {
        long newest = messages.isEmpty() ? 0 : messages.get(messages.size() - 1).offset();
        return new Position(answer.epoch(), query.after() == null ? newest : answer.next());
    }

    @Override
    public boolean more() {
        return answer.more();
    }

    @Override
    public boolean trimmed() {
        return query.after() == null
                ? !answer.more() && answer.floor() > 0
                : answer.floor() > query.after().offset();
    }

    @Override
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
