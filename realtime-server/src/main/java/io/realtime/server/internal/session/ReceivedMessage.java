package io.realtime.server.internal.session;

import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Payloads;
import io.realtime.server.IncomingMessage;
import io.realtime.server.Interceptor;
import io.realtime.server.Session;
import java.nio.ByteBuffer;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** The implementation of {@link IncomingMessage}: an envelope, and the handling that it is for. */
public final class ReceivedMessage implements IncomingMessage {
    private static final CompletionStage<?> ANSWERED = CompletableFuture.completedStage(null);

    private final ServerSession session;
    private final Envelope envelope;
    private final Payloads payloads;
    private final Call call;

    /** @param call the handling, which a message with another payload shares */
    private ReceivedMessage(ServerSession session, Envelope envelope, Payloads payloads, Call call) {
        this.session = session;
        this.envelope = envelope;
        this.payloads = payloads;
        this.call = call;
    }

    /** What interceptors are around: a handler, with what it needs. */
    @FunctionalInterface
    public interface Target {
        /** Handles a message. Returns the stage of a late answer; null when the message is answered. */
        @Nullable
        CompletionStage<?> handle(ServerSession session, Envelope envelope) throws Exception;
    }

    /** The one call of a message's handler, by the thread that begins to handle the message. */
    private static final class Call {
        private final Target target;
        private final Thread thread = Thread.currentThread();
        private boolean isMade;
        // Why the target has failed, if it has.
        private @Nullable Throwable failure;

        Call(Target target) {
            this.target = target;
        }

        @Nullable
        CompletionStage<?> make(ServerSession session, Envelope envelope) throws Exception {
            if (thread != Thread.currentThread()) {
                throw new IllegalStateException(
                        "an interceptor of '" + envelope.type() + "' called next on another thread");
            }
            if (isMade) {
                throw new IllegalStateException(
                        "an interceptor of '" + envelope.type() + "' called next twice, or after it had returned");
            }
            isMade = true;
            try {
                return target.handle(session, envelope);
            } catch (Throwable thrown) {
                failure = thrown;
                throw thrown;
            }
        }

        /** Prevents a later call. Returns whether it was made. */
        boolean end() {
            boolean wasMade = isMade;
            isMade = true;
            return wasMade;
        }
    }

    /**
     * Handles a message. Throws what the client is to be answered: what an interceptor throws before the target has
     * succeeded, else the target's failure, also if an interceptor has caught it.
     *
     * @param chain the interceptors, which make the call of the target
     * @return what an interceptor threw after the target had succeeded; the message needs no other answer
     */
    public static @Nullable Throwable handle(
            Interceptor.Handling chain, ServerSession session, Envelope envelope, Payloads payloads, Target target)
            throws Exception {
        Call call = new Call(target);
        try {
            chain.handle(new ReceivedMessage(session, envelope, payloads, call));
        } catch (Throwable thrown) {
            if (call.end() && call.failure == null) {
                return thrown;
            }
            throw thrown;
        }
        if (!call.end()) {
            throw new IllegalStateException(
                    "an interceptor of '" + envelope.type() + "' neither called next nor threw");
        }
        if (call.failure instanceof Error error) {
            throw error;
        }
        if (call.failure instanceof Exception exception) {
            throw exception;
        }
        return null;
    }

    /** Returns a message for the application's own handler, behind all interceptors. */
    public static IncomingMessage unhandled(ServerSession session, Envelope envelope, Payloads payloads) {
        return new ReceivedMessage(session, envelope, payloads, new Call((none, such) -> null));
    }

    static ReceivedMessage of(IncomingMessage message) {
        if (message instanceof ReceivedMessage own) {
            return own;
        }
        throw new IllegalArgumentException("pass on the message of the interceptor, or one that it returns");
    }

    CompletionStage<?> handle() throws Exception {
        CompletionStage<?> later = call.make(session, envelope);
        return later == null ? ANSWERED : later;
    }

    @Override
    public Session session() {
        return session;
    }

    @Override
    public String type() {
        return envelope.type();
    }

    @Override
    public @Nullable String room() {
        return envelope.room();
    }

    @Override
    public @Nullable String ref() {
        return envelope.ref();
    }

    @Override
    public boolean isRedelivered() {
        return envelope.isRedelivered();
    }

    @Override
    public @Nullable String trace() {
        return envelope.trace();
    }

    @Override
    public boolean isBinary() {
        return envelope.payload() != null;
    }

    @Override
    public String json() {
        return envelope.json();
    }

    @Override
    public <T> T data(Class<T> type) {
        T data = envelope.received(payloads.of(type));
        return data;
    }

    @Override
    public IncomingMessage withData(Object data) {
        Objects.requireNonNull(data, "data");
        Class<?> type = data instanceof ByteBuffer ? ByteBuffer.class : data.getClass();
        return with(envelope.withData(data, payloads.of(type)));
    }

    @Override
    public IncomingMessage withJson(String json) {
        return with(envelope.withJson(json));
    }

    private IncomingMessage with(Envelope changed) {
        return new ReceivedMessage(session, changed, payloads, call);
    }

    /** Returns the fields only: the payload may be confidential. */
    @Override
    public String toString() {
        return "IncomingMessage{" + envelope + "}";
    }
}
