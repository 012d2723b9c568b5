package io.realtime;

import java.util.List;

/**
 * A part of a room's log, as {@code history} of a client's or a server's room read it. Immutable. Only the library makes
 * them; an application may implement this in a test of its own code.
 */
public interface HistoryPage {
    /**
     * Returns the messages of one event, oldest first, without those of other events. A message whose payload does not
     * fit is left out. A client reports it to its listener's {@code onError}, as when it arrives live; a server logs it.
     */
    <T> List<Message<T>> messages(Event<T> event);

    /**
     * Returns the position up to which the reader now knows the log. For {@code after} it is the end of this page.
     * Otherwise it is the position of the page's newest message, of any event, or the beginning of the log if the page
     * is empty. A client's reload hook that loads the newest page completes with it.
     */
    Position position();

    /**
     * Returns true if the log has more in the direction of the query: newer messages for {@code after}, otherwise older
     * ones. Even after an empty page there may be more, if the messages that the server looked at are meant for others.
     */
    boolean more();

    /**
     * Returns true if the log no longer has messages that this page or the pages before it should show. For {@code
     * after} these are messages directly after that position; otherwise, on the last page, older ones.
     */
    boolean trimmed();

    /**
     * Returns the query for the next page, in the same direction.
     *
     * @throws IllegalStateException when there is no {@link #more}
     */
    HistoryQuery next();
}
