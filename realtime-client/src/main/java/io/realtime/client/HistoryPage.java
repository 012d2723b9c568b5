package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.internal.wire.Envelope;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** Part of a room's log, as {@link ClientRoom#history} read it. Immutable. */
public final class HistoryPage {
    private final HistoryQuery query;
    private final String epoch;
    private final List<Envelope> messages;
    private final boolean more;
    private final Consumer<Throwable> errors;

    /** @throws RealtimeException when the messages are not what was asked for, in order */
    HistoryPage(HistoryQuery query, String epoch, List<Envelope> messages, boolean more, Consumer<Throwable> errors) {
        this.query = query;
        this.epoch = epoch;
        this.messages = messages;
        this.more = more;
        this.errors = errors;
        long last = query.after() == null ? 0 : query.after().offset();
        for (Envelope message : messages) {
            if (message.isProtocol() || message.offset() <= last) {
                throw nonsense("'" + message.type() + "' at " + message.offset() + " behind " + last);
            }
            last = message.offset();
        }
        if (query.before() != null
                && !messages.isEmpty()
                && last >= query.before().offset()) {
            throw nonsense("'" + messages.get(messages.size() - 1).type() + "' at " + last + ", not before "
                    + query.before().offset());
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
        List<Message<T>> some = new ArrayList<>();
        for (Envelope message : messages) {
            if (message.type().equals(event.name())) {
                try {
                    some.add(message.message(event.type(), epoch, message.ts()));
                } catch (RuntimeException unfit) { // it must not cost the others
                    errors.accept(unfit);
                }
            }
        }
        return some;
    }

    /**
     * Returns the place of the newest message of the page, of whatever event; where there is none, the place it was to
     * begin behind, or the beginning of the log. A {@link Reload} that loads the newest page completes with it.
     */
    public Position position() {
        if (messages.isEmpty()) {
            return query.after() == null ? new Position(epoch, 0) : query.after();
        }
        return new Position(epoch, messages.get(messages.size() - 1).offset());
    }

    /** Returns whether the log has more in the direction of the query: newer messages for {@code after}, else older. */
    public boolean more() {
        return more;
    }

    /**
     * Returns the query that goes on where this page ends, in the same direction.
     *
     * @throws IllegalStateException when there is no {@link #more}, or the page is empty although there is: the server
     *     looked at messages that are not meant for this client only, and named no place to go on from
     */
    public HistoryQuery next() {
        if (!more) {
            throw new IllegalStateException("there is no more");
        }
        if (messages.isEmpty()) {
            throw new IllegalStateException("the page is empty, and so names no place to go on from");
        }
        return query.after() != null
                ? HistoryQuery.after(position(), query.limit())
                : HistoryQuery.before(new Position(epoch, messages.get(0).offset()), query.limit());
    }

    /** Names no payload. */
    @Override
    public String toString() {
        return "HistoryPage{messages=" + messages.size() + ", position=" + position() + ", more=" + more + "}";
    }
}
