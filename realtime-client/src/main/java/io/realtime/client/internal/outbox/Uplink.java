package io.realtime.client.internal.outbox;

import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;

/** An open connection to the server, as its senders see it. Owned by the scheduler's thread. */
public interface Uplink {
    /** Sends messages of the outbox in one write. Returns false if the connection is full or closed. */
    boolean send(MessageBatch batch);

    /** Sends a message that is not of the outbox. Returns false if the connection is full or closed. */
    boolean send(WireMessage message);

    /** Returns true if more than half of this many bytes wait in the connection. */
    boolean isCrowded(int bound);
}
