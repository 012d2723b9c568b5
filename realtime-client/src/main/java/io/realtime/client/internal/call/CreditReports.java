package io.realtime.client.internal.call;

import io.realtime.client.internal.callback.CoalescedTask;
import io.realtime.internal.calls.OpenRequests;
import io.realtime.internal.calls.StreamCall;
import io.realtime.internal.wire.EntryBudget;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Tells the server, in {@code $credit}, how many items each stream accepts and how far the session's inbox has been
 * read. Owned by the scheduler's thread, except {@link #reportSoon} and {@link #grant}.
 */
final class CreditReports {
    /** After how many frames of the inbox, or how many characters, the server is told how far it has arrived. */
    private static final int READ_FRAMES = 32;

    private static final int READ_LENGTH = 64 * 1024;

    /** The length of a {@code $credit} without streams, and of a number in it. */
    private static final int CREDIT_BYTES = 80;

    private static final int NUMBER_BYTES = 20;

    /** How long such a report waits at most while a request is open. */
    private static final Duration READ_PAUSE = Duration.ofMillis(100);

    private final OpenRequests requests;
    private final Scheduler scheduler;
    private final Predicate<Outgoing> connection;
    private final CoalescedTask soon;
    // Credit that was granted and not sent yet.
    private final Map<String, Long> granted = new LinkedHashMap<>();
    private boolean isReportPosted;
    // In bytes, so that the server and the connection accept it.
    private int longestCredit;
    private long read;
    private int unreportedFrames;
    private int unreportedLength;
    private Scheduler.@Nullable Cancellable timer;

    /** @param connection sends a frame; returns false when there is no connection, or it is full */
    CreditReports(OpenRequests requests, Scheduler scheduler, Predicate<Outgoing> connection) {
        this.requests = requests;
        this.scheduler = scheduler;
        this.connection = connection;
        this.soon = new CoalescedTask(this::post, this::watchRead);
    }

    private void post(Runnable task) {
        scheduler.schedule(Duration.ZERO, task);
    }

    // On any thread

    /** Reports soon how far the inbox is read: there is a stream, which may wait for that. */
    void reportSoon() {
        soon.post();
    }

    /** Reports that a stream accepts this many items in all. */
    void grant(String ref, long upTo) {
        post(() -> {
            granted.put(ref, upTo);
            if (!isReportPosted) {
                // Sent together with what others grant now.
                post(this::report);
                // Only now, since a scheduler may throw.
                isReportPosted = true;
            }
        });
    }

    // On the scheduler's thread

    /** Handles the arrival of a frame of the session's inbox. */
    void arrived(long offset, int length) {
        if (offset > 0) {
            read = offset;
            unreportedFrames++;
            unreportedLength += length;
            if (unreportedFrames >= READ_FRAMES || unreportedLength >= READ_LENGTH) {
                report();
            } else {
                watchRead();
            }
        }
    }

    /**
     * Schedules a report of how far the inbox has arrived. A stream may wait for less than a batch, since the server
     * limits how much is unread.
     */
    void watchRead() {
        if (unreportedFrames > 0 && timer == null && !requests.isEmpty()) {
            timer = scheduler.schedule(READ_PAUSE, this::report);
        }
    }

    /** Sends what was not sent before. */
    void report() {
        isReportPosted = false;
        stop();
        // The server has no use for it.
        granted.keySet().removeIf(ref -> requests.get(ref) == null);
        if (granted.isEmpty() && unreportedFrames == 0) {
            return;
        }
        do {
            Map<String, Long> some = someGranted();
            Protocol.Credit credit = new Protocol.Credit(read == 0 ? null : read, some.isEmpty() ? null : some);
            if (!connection.test(Outgoing.of(Protocol.CREDIT).data(credit, Protocol.Credit.class))) {
                // Sent when the connection is drained, or after the next welcome.
                return;
            }
            granted.keySet().removeAll(some.keySet());
            unreportedFrames = 0;
            unreportedLength = 0;
        } while (!granted.isEmpty());
    }

    /** Returns as much of the credit as fits in a frame, but at least one stream's. */
    private Map<String, Long> someGranted() {
        EntryBudget budget = new EntryBudget(longestCredit - CREDIT_BYTES);
        Map<String, Long> some = new LinkedHashMap<>();
        for (Map.Entry<String, Long> one : granted.entrySet()) {
            if (!budget.take(one.getKey(), NUMBER_BYTES) && !some.isEmpty()) {
                break;
            }
            some.put(one.getKey(), one.getValue());
        }
        return some;
    }

    /**
     * Handles a new connection: sends again what the server may have missed.
     *
     * @param longestRequest in bytes
     */
    void welcomed(int longestRequest) {
        longestCredit = longestRequest;
        requests.forEach((ref, request) -> {
            StreamCall<?> stream = request instanceof OpenCall call ? call.stream() : null;
            if (stream != null) {
                granted.put(ref, stream.granted());
            }
        });
        // An earlier report may be lost with its connection.
        unreportedFrames = read > 0 ? Math.max(1, unreportedFrames) : unreportedFrames;
        if (granted.isEmpty()) {
            watchRead();
        } else {
            report();
        }
    }

    /**
     * Continues with another inbox, or at another offset of it. The former offset belongs to another log: with it the
     * server would drop messages of this one before they have arrived. What does not arrive any more must be reported
     * as read too, since otherwise it leaves no room for streams.
     */
    void readFrom(long inbox) {
        read = inbox;
        unreportedFrames = inbox > 0 ? 1 : 0;
        unreportedLength = 0;
    }

    /** Forgets all credit: the streams belonged to another user. */
    void forget() {
        granted.clear();
        readFrom(0);
    }

    /** Ends the timer. */
    void stop() {
        if (timer != null) {
            timer.cancel();
            timer = null;
        }
    }
}
