package io.realtime.examples.chat;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.examples.chat.Outbox.Outgoing;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Publishes what is in the outbox, oldest first, on one thread. A row is removed after it was published. So after a
 * crash a message may be published again, and a reader recognizes it by its number; none is skipped.
 *
 * <p>There is one relay for a database: of two, each would publish to the clients of its own server only.
 */
final class OutboxRelay implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(OutboxRelay.class);
    // Rows of another writer, such as a batch job, wake nobody.
    private static final long IDLE_MS = 1_000;
    private static final long FIRST_PAUSE_MS = 100;
    private static final long LONGEST_PAUSE_MS = 5_000;
    private static final long CLOSE_MS = 5_000;

    private final Outbox outbox;
    private final Publisher publisher;
    // Published, and still to be removed. At most one batch.
    private final List<Long> published = new ArrayList<>();
    // One place: a relay that is awake reads all rows, however often it was woken.
    private final BlockingQueue<Boolean> wakes = new ArrayBlockingQueue<>(1);
    private final Thread thread = new Thread(this::run, "chat-relay");

    /** Where messages are published. */
    interface Publisher {
        /**
         * Publishes a message, and returns when its room or inbox has it.
         *
         * @throws RealtimeException if that failed; the message is published again later if it is retryable
         */
        void publish(Outgoing message);
    }

    OutboxRelay(Outbox outbox, Publisher publisher) {
        this.outbox = outbox;
        this.publisher = publisher;
        thread.setDaemon(true);
    }

    /** Begins with what an earlier process left. */
    void start() {
        thread.start();
    }

    /** Tells that there may be new rows, which are otherwise found within a second. Returns immediately. */
    void wake() {
        wakes.offer(true);
    }

    private void run() {
        long pause = FIRST_PAUSE_MS;
        try {
            while (!Thread.currentThread().isInterrupted()) {
                if (relay()) {
                    pause = FIRST_PAUSE_MS;
                    wakes.poll(IDLE_MS, TimeUnit.MILLISECONDS);
                } else {
                    wakes.poll(pause, TimeUnit.MILLISECONDS);
                    pause = Math.min(LONGEST_PAUSE_MS, pause * 2);
                }
            }
        } catch (InterruptedException closed) {
            Thread.currentThread().interrupt();
        }
    }

    /** Publishes all rows. Returns false if it has to be tried again. */
    private boolean relay() {
        try {
            List<Outgoing> batch;
            do {
                removePublished();
                batch = outbox.oldest();
                for (Outgoing message : batch) {
                    publish(message);
                    published.add(message.id());
                }
                removePublished();
            } while (batch.size() == Outbox.BATCH);
            return true;
        } catch (RealtimeException failure) {
            LOG.debug("the outbox waits", failure);
            return false;
        } catch (RuntimeException mistake) {
            LOG.error("the outbox waits", mistake);
            return false;
        }
    }

    private void removePublished() {
        if (!published.isEmpty()) {
            outbox.remove(published);
            published.clear();
        }
    }

    private void publish(Outgoing message) {
        try {
            publisher.publish(message);
        } catch (RealtimeException failure) {
            // The server allows no further room. So nobody is in this one, and nobody misses the message.
            boolean isForNobody = failure.code().equals(ErrorCode.OVERLOADED);
            if (!isForNobody && (failure.isRetryable() || failure.code().equals(ErrorCode.CLOSED))) {
                throw failure;
            }
            notPublished(message, failure);
        } catch (RuntimeException mistake) {
            notPublished(message, mistake);
        }
    }

    /** Goes on: this message will never be published, and would hold up all others. Readers find it in the database. */
    private static void notPublished(Outgoing message, RuntimeException failure) {
        LOG.error("not published: {} to {}{}", message.event(), message.room(), message.receiver(), failure);
    }

    /** Waits until the message in progress is published; the rest stays in the table. */
    @Override
    public void close() {
        thread.interrupt();
        try {
            thread.join(CLOSE_MS);
        } catch (InterruptedException interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
