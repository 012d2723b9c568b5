package io.realtime.client.internal.outbox;

import io.realtime.PayloadException;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.MalformedException;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Payload;
import io.realtime.spi.WireMessage;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A message. The parts that vary from one sending to the next are added after its encoded bytes, which never vary.
 */
public final class OutboxEntry {
    /** The cost of an entry in addition to its encoded bytes. */
    private static final int OVERHEAD = 128;

    /** The longest text that {@link #frame} adds. */
    private static final int SUFFIX = ",\"seq\":9007199254740991,\"redelivered\":true}".length() - 1;

    /** How far a message has come on its way to the file. Without a file it is stored from the beginning. */
    enum Stage {
        NEW,
        STORING,
        STORED,
        GONE
    }

    final String name;
    final @Nullable String room;
    // Of a request or an answer. It ends with this process, so no file keeps it.
    final @Nullable String ref;
    final CompletableFuture<Void> result;
    final long createdMillis;
    final boolean restored;
    private final WireMessage body;
    // The field of the trace context, or empty. It ends with this process, so no file keeps it.
    private final String traced;

    // The fields from here on are guarded by the outbox's lock.

    // Does not change any more once it has a value; then it is read without the lock.
    long seq;
    Stage stage = Stage.NEW;
    boolean admitted;
    boolean everSent;
    // Whether it is on a connection, or about to be.
    boolean underWay;
    // Whether it leaves the outbox as soon as it is not in flight.
    boolean givenUp;
    // On the monotonic clock, minus the machine's sleep since then.
    long created;
    // By how much the wall clock was ahead of the monotonic clock at the last welcome.
    long wallAhead;

    /**
     * @param created the time of its creation on the monotonic clock
     * @param createdMillis the same on the wall clock, for a later process
     */
    OutboxEntry(
            String name,
            @Nullable String room,
            @Nullable String ref,
            Outgoing message,
            CompletableFuture<Void> result,
            long created,
            long createdMillis) {
        this(name, room, ref, message, null, result, created, createdMillis);
    }

    /** @param trace the trace context, or null */
    OutboxEntry(
            String name,
            @Nullable String room,
            @Nullable String ref,
            Outgoing message,
            @Nullable String trace,
            CompletableFuture<Void> result,
            long created,
            long createdMillis) {
        this(name, room, ref, message, trace, result, created, createdMillis, 0);
    }

    /**
     * Creates a message that an earlier process left, with its former number. Until the first welcome it is as old
     * as this process.
     */
    OutboxEntry(StoredMessage stored, long nanoTime, long wallMillis) {
        this(
                stored.name(),
                stored.room(),
                null,
                stored.message(),
                null,
                new CompletableFuture<>(),
                nanoTime,
                stored.createdMillis(),
                stored.seq());
        wallAhead = ahead(wallMillis, nanoTime);
    }

    private OutboxEntry(
            String name,
            @Nullable String room,
            @Nullable String ref,
            Outgoing message,
            @Nullable String trace,
            CompletableFuture<Void> result,
            long created,
            long createdMillis,
            long seq) {
        this.seq = seq;
        this.restored = seq > 0;
        this.name = name;
        this.room = room;
        this.ref = ref;
        this.result = result;
        this.created = created;
        this.createdMillis = createdMillis;
        this.wallAhead = ahead(createdMillis, created);
        this.body = message.frame();
        // It needs no escaping.
        this.traced = trace == null ? "" : ",\"trace\":\"" + trace + "\"";
    }

    static long ahead(long wallMillis, long nanoTime) {
        return wallMillis - TimeUnit.NANOSECONDS.toMillis(nanoTime);
    }

    /** Returns true if an earlier process left it. */
    boolean isRestored() {
        return restored;
    }

    int wireLength() {
        return body.length() + SUFFIX + traced.length();
    }

    long cost() {
        return (long) body.length() + traced.length() + OVERHEAD;
    }

    /** Returns the number; 0 for a message that was never in the outbox. */
    public long seq() {
        return seq;
    }

    /** Returns true if the payload is bytes, false if it is JSON. */
    boolean isBinary() {
        return !body.isText();
    }

    /** Writes the payload as it was given: bytes, or JSON. */
    void writePayload(OutputStream out) throws IOException {
        Outgoing empty = Outgoing.of(name).room(room);
        WireMessage around = (isBinary() ? empty.rawData(ByteBuffer.allocate(0)) : empty.rawData("")).frame();
        // The last brace is after JSON, and before bytes.
        int after = isBinary() ? 0 : 1;
        int before = around.length() - after;
        byte[] bytes = new byte[body.length() - after];
        body.payload().get(bytes);
        out.write(bytes, before, bytes.length - before);
    }

    /**
     * Reads the payload.
     *
     * @throws PayloadException when it does not fit the type
     */
    // The caller names the contract's type.
    @SuppressWarnings("TypeParameterUnusedInFormals")
    <T> T data(Payload by) {
        try {
            Envelope envelope = isBinary() ? BinaryEnvelope.parse(body.payload()) : Envelope.parse(body.asText());
            T payload = envelope.data(by);
            return payload;
        } catch (MalformedException unfit) {
            // A server would refuse it too, for example for its nesting.
            throw new PayloadException(unfit.getMessage(), unfit);
        }
    }

    /** Returns the frame. Only for the engine, which alone sends, and never changes a number. */
    WireMessage frame() {
        // An ephemeral message has no number.
        String number = seq == 0 ? "" : ",\"seq\":" + seq;
        return Outgoing.extend(body, traced + number + (everSent ? ",\"redelivered\":true" : ""));
    }
}
