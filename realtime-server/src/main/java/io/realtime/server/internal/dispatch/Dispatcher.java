package io.realtime.server.internal.dispatch;

import com.google.gson.JsonElement;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.StreamSink;
import io.realtime.internal.Steps;
import io.realtime.internal.calls.StreamSource;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Json;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Credentials;
import io.realtime.server.EventHandler;
import io.realtime.server.Interceptor;
import io.realtime.server.RequestHandler;
import io.realtime.server.StreamHandler;
import io.realtime.server.UnhandledMessageHandler;
import io.realtime.server.internal.limits.AnswerLimit;
import io.realtime.server.internal.room.RoomChannel;
import io.realtime.server.internal.session.ReceivedMessage;
import io.realtime.server.internal.session.Rules;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.server.internal.session.SessionConnection;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.server.internal.stats.Counters;
import java.time.Instant;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * The handling of a session's messages: those of the protocol, and those of the application by its handlers. Runs in
 * the session's mailbox.
 */
public final class Dispatcher {
    /** The bytes that a page of history has in addition to its messages: an epoch, two offsets, and their names. */
    private static final int PAGE = 160;

    private final SessionContext context;
    private final Rules rules;
    private final Map<String, MessageHandler> handlers;
    private final Interceptor.@Nullable Handling interceptors;
    // Of messages that have no other.
    private final @Nullable MessageHandler fallback;

    public Dispatcher(
            SessionContext context,
            Rules rules,
            Map<String, MessageHandler> handlers,
            @Nullable UnhandledMessageHandler unhandled) {
        this.context = context;
        this.rules = rules;
        this.handlers = handlers;
        this.interceptors = context.middleware().handling();
        this.fallback = unhandled == null ? null : unhandled(unhandled);
    }

    /**
     * Handles one message. If a rule answers later, the mailbox waits for it, and the handling ends later. Whatever the
     * result, the message counts as processed, unless the server stops before, or the message is dropped before its
     * handler has begun.
     */
    public void dispatch(ServerSession session, SessionConnection peer, Envelope envelope) {
        step(session, peer, envelope, () -> {
            if (envelope.isProtocol()) {
                return protocol(session, peer, envelope);
            }
            return application(session, envelope);
        });
    }

    private void step(ServerSession session, SessionConnection peer, Envelope envelope, Step step) {
        boolean isPaused = false;
        try {
            if (!isDue(session, envelope)) {
                return;
            }
            Continuation pause = attempt(session, peer, envelope, step);
            if (pause != null) {
                session.mailbox().await(pause.until, () -> step(session, peer, envelope, pause.then));
                isPaused = true;
            } else if (envelope.seq() > 0 && session.mailbox().begin()) {
                session.markProcessed(envelope.seq(), envelope.length());
            }
        } finally {
            if (!isPaused && session.mailbox().begin()) {
                // A drop has counted the message already.
                context.countWaiting(-1);
            }
        }
    }

    /**
     * Returns whether a message is to be handled. Once the server has stopped, clients send unacknowledged messages to
     * the next server. When a session is ended at once, its messages are dropped, unless its client has another
     * session; after that, only a message without a number may still arrive.
     */
    private boolean isDue(ServerSession session, Envelope envelope) {
        boolean isNumbered = session.record() != null && envelope.seq() > 0;
        return !context.state().isStopped() && (isNumbered || !session.isOver());
    }

    private @Nullable Continuation attempt(
            ServerSession session, SessionConnection peer, Envelope envelope, Step step) {
        try {
            return step.run();
        } catch (Throwable failure) {
            // An Error of one handler must not cost the session its next message.
            ErrorData error = report(session, envelope.type(), failure);
            if (session.mailbox().begin()) {
                answer(session, peer, envelope, error);
            }
            return null;
        }
    }

    /** The handling of a message, or one part of it. */
    @FunctionalInterface
    interface Step {
        /** Runs the part. Returns null when the message is handled. */
        @Nullable
        Continuation run() throws Exception;
    }

    /** A stage that a message waits for, and the part of its handling that follows. */
    record Continuation(CompletionStage<?> until, Step then) {}

    private @Nullable Continuation protocol(ServerSession session, SessionConnection peer, Envelope envelope) {
        switch (envelope.type()) {
            case Protocol.JOIN -> {
                return join(session, peer, envelope);
            }
            case Protocol.REJOIN -> {
                return rejoin(session, peer, envelope);
            }
            case Protocol.LEAVE -> session.memberships().leave(peer, envelope.ref(), named(envelope));
            case Protocol.PRESENCE -> presence(session, peer, envelope);
            case Protocol.HISTORY -> {
                return history(session, peer, envelope);
            }
            case Protocol.AUTH -> auth(session, peer, envelope);
            case Protocol.REPLY, Protocol.NEXT, Protocol.END, Protocol.ERROR -> {
                if (session.hasCalls()) {
                    session.calls().answered(envelope);
                }
            }
            case Protocol.CANCEL -> {
                if (session.hasCalls() && envelope.ref() != null) {
                    session.calls().cancel(envelope.ref());
                }
            }
            default ->
                throw new RealtimeException(
                        ErrorCode.UNKNOWN_TYPE, "there is no '" + envelope.type() + "' in this version");
        }
        return null;
    }

    /** Answers a request of the protocol, on the connection that sent it. */
    private static void answer(SessionConnection peer, Outgoing frame) {
        peer.send(frame.frame());
    }

    private Continuation join(ServerSession session, SessionConnection peer, Envelope envelope) {
        String room = named(envelope);
        Protocol.Join wish = envelope.hasData()
                ? envelope.received(Json.payload(Protocol.Join.class))
                : new Protocol.Join(null, null);
        requireState(wish.state());
        CompletableFuture<Map<String, ErrorData>> forbidden = rules.forbidden(session, Set.of(room));
        return new Continuation(forbidden, () -> {
            session.memberships()
                    .join(peer, envelope.ref(), room, wish, forbidden.join().get(room));
            return null;
        });
    }

    /**
     * Handles many joins in one request. The rule is not asked for rooms that the session is in: it was asked when the
     * session was resumed.
     */
    private Continuation rejoin(ServerSession session, SessionConnection peer, Envelope envelope) {
        Protocol.RejoinRequest request = envelope.received(Json.payload(Protocol.RejoinRequest.class));
        Map<String, Protocol.Join> wishes = request.rooms() == null ? Map.of() : request.rooms();
        for (String room : wishes.keySet()) {
            String fault = Names.roomFault(room);
            if (fault != null) {
                throw bad(fault);
            }
        }
        for (Protocol.Join wish : wishes.values()) {
            requireState(wish == null ? null : wish.state());
        }
        Set<String> excess = session.memberships().takeRejoins(peer, wishes.keySet());
        Set<String> asked = new LinkedHashSet<>(wishes.keySet());
        asked.removeAll(excess);
        asked.removeIf(session::isIn);
        CompletableFuture<Map<String, ErrorData>> forbidden = rules.forbidden(session, asked);
        return new Continuation(forbidden, () -> {
            boolean isLast = Boolean.TRUE.equals(request.last());
            session.memberships().rejoin(peer, envelope.ref(), wishes, asked, forbidden.join(), excess, isLast);
            return null;
        });
    }

    private static void presence(ServerSession session, SessionConnection peer, Envelope envelope) {
        String room = named(envelope);
        Protocol.PresenceRequest wish = envelope.hasData()
                ? envelope.received(Json.payload(Protocol.PresenceRequest.class))
                : new Protocol.PresenceRequest(null, null);
        requireState(wish.state());
        session.memberships().presence(peer, room, wish);
        if (envelope.ref() != null) {
            answer(peer, Outgoing.of(Protocol.REPLY).ref(envelope.ref()).room(room));
        }
    }

    private static void requireState(@Nullable String state) {
        if (state != null && state.length() > Protocol.MOST_STATE) {
            throw bad("a state of " + state.length() + " characters is longer than " + Protocol.MOST_STATE);
        }
    }

    private @Nullable Continuation history(ServerSession session, SessionConnection peer, Envelope envelope) {
        String room = envelope.room();
        if (room == null) {
            throw bad("room is required");
        }
        if (session.isIn(room)) {
            readHistory(session, peer, envelope, room);
            return null;
        }
        if (room.startsWith("@")) {
            throw noReader(room);
        }
        CompletableFuture<Map<String, ErrorData>> forbidden = rules.forbidden(session, Set.of(room));
        return new Continuation(forbidden, () -> {
            ErrorData refusal = forbidden.join().get(room);
            if (refusal != null) {
                throw Rules.isPlain(refusal) ? noReader(room) : refusal(refusal);
            }
            readHistory(session, peer, envelope, room);
            return null;
        });
    }

    private static RealtimeException noReader(String room) {
        return new RealtimeException(ErrorCode.FORBIDDEN, "reading '" + Names.abbreviate(room) + "' is not allowed");
    }

    private void readHistory(ServerSession session, SessionConnection peer, Envelope envelope, String room) {
        Protocol.HistoryRequest query = envelope.hasData()
                ? envelope.received(Json.payload(Protocol.HistoryRequest.class))
                : new Protocol.HistoryRequest(null, null, null);
        Outgoing reply = Outgoing.of(Protocol.REPLY).ref(envelope.ref()).room(room);
        int longest = Math.max(0, peer.messageBytes() - reply.length() - PAGE);
        RoomChannel.Page page =
                session.memberships().page(room, query, context.limits().outboundBytes() / 4, longest);
        StringBuilder json =
                new StringBuilder("{\"epoch\":\"").append(page.epoch()).append("\",\"messages\":[");
        for (int i = 0; i < page.messages().size(); i++) {
            json.append(i == 0 ? "" : ",")
                    .append(BinaryEnvelope.toHistory(page.messages().get(i)));
        }
        json.append("],\"more\":").append(page.more());
        json.append(",\"next\":").append(page.next());
        json.append(",\"floor\":").append(page.floor()).append('}');
        answer(peer, reply.rawData(json.toString()));
    }

    private void auth(ServerSession session, SessionConnection peer, Envelope envelope) {
        Protocol.Auth auth = envelope.received(Json.payload(Protocol.Auth.class));
        boolean isAsked = peer.authenticate(new Credentials(auth.token(), null, peer.handshake()), (proof, refusal) -> {
            if (proof == null || !proof.user().equals(session.user().id())) {
                RealtimeException why = refusal != null
                        ? refusal
                        : new RealtimeException(ErrorCode.UNAUTHORIZED, "the token is another user's");
                context.counters().refusedMessage(why.code().value());
                answer(session, peer, envelope, ErrorData.of(why));
                return;
            }
            peer.expireAt(proof.expiresAt());
            Long expiresAt =
                    proof.expiresAt() == null ? null : proof.expiresAt().toEpochMilli();
            answer(
                    peer,
                    Outgoing.of(Protocol.REPLY)
                            .ref(envelope.ref())
                            .data(new Protocol.AuthReply(expiresAt), Protocol.AuthReply.class));
        });
        if (!isAsked) {
            throw new RealtimeException(
                    ErrorCode.OVERLOADED, "another token of this connection is being checked", true, null);
        }
    }

    private @Nullable Continuation application(ServerSession session, Envelope envelope) throws Exception {
        MessageHandler handler = handlers.get(envelope.type());
        handler = handler == null ? fallback : handler;
        if (handler == null) {
            if (envelope.ref() == null && envelope.seq() == 0) {
                return null;
            }
            String what = (envelope.payload() == null ? "'" : "binary '") + envelope.type() + "'";
            throw new RealtimeException(ErrorCode.NO_HANDLER, "nothing handles " + what);
        }
        return handler.handle(session, envelope);
    }

    private static String named(Envelope envelope) {
        String room = envelope.room();
        if (room == null) {
            throw bad("room is required");
        }
        String fault = Names.roomFault(room);
        if (fault != null) {
            throw bad(fault);
        }
        return room;
    }

    private static RealtimeException bad(String fault) {
        return new RealtimeException(ErrorCode.BAD_DATA, fault);
    }

    /** Returns the error that the client is sent. The log and the listener get the full failure. */
    private ErrorData report(ServerSession session, String type, Throwable failure) {
        ErrorData refusal = ErrorData.refusal(failure);
        if (refusal != null) {
            // A client that a handler has asked chooses its codes.
            boolean isRemote = Steps.unwrap(failure) instanceof RemoteException;
            context.counters().refusedMessage(isRemote ? Counters.OTHER : refusal.code());
            return refusal;
        }
        context.counters().refusedMessage(ErrorCode.INTERNAL.value());
        String what = "the handler of '" + type + "' failed";
        ErrorData answer = ErrorData.of(ErrorCode.INTERNAL, what, false);
        context.report(session, what, failure);
        return answer;
    }

    private static void answer(ServerSession session, SessionConnection peer, Envelope envelope, ErrorData error) {
        if (envelope.isProtocol()) {
            answer(peer, session.error(envelope.ref(), envelope.seq(), error).room(envelope.room()));
        } else {
            session.refuse(envelope.ref(), envelope.seq(), error);
        }
    }

    /** The handler of the messages of one name. */
    @FunctionalInterface
    public interface MessageHandler {
        /** Handles one message. Returns null when the mailbox may continue with the next one. */
        @Nullable
        Continuation handle(ServerSession session, Envelope envelope) throws Exception;
    }

    /** Returns a handler that refuses messages whose payload is longer than this. */
    public static MessageHandler atMost(int bytes, MessageHandler handler) {
        return (session, envelope) -> {
            long length = envelope.dataBytes();
            if (length > bytes) {
                throw new RealtimeException(
                        ErrorCode.TOO_BIG,
                        "the payload of '" + envelope.type() + "' has " + length + " bytes; at most " + bytes
                                + " are allowed");
            }
            return handler.handle(session, envelope);
        };
    }

    public <T> MessageHandler event(Event<T> event, EventHandler<T> handler) {
        Payload payload = context.payloads().of(event.type());
        return ruled(event, (session, envelope) -> {
            handler.handle(
                    session,
                    new Message<>(
                            envelope.<T>received(payload),
                            envelope.room(),
                            null,
                            // Never whom the envelope claims to be from.
                            session.user().id(),
                            Instant.ofEpochMilli(context.scheduler().currentTimeMillis()),
                            envelope.isRedelivered(),
                            envelope.trace()));
            return null;
        });
    }

    /** Returns the handler of messages that have no other. To the send rule they are events of raw JSON. */
    private MessageHandler unhandled(UnhandledMessageHandler handler) {
        return ruled(null, (session, envelope) -> {
            handler.handle(ReceivedMessage.unhandled(session, envelope, context.payloads()));
            return null;
        });
    }

    /**
     * Returns a handler that asks the send rule first, and answers a message with a ref.
     *
     * @param contract the event; null for one of raw JSON, with the message's name
     */
    private MessageHandler ruled(@Nullable Event<?> contract, ReceivedMessage.Target target) {
        return (session, envelope) -> {
            String room = envelope.room();
            if (room == null) {
                handle(session, envelope, target, null);
                return null;
            }
            Event<?> event = contract == null ? Event.of(envelope.type(), JsonElement.class) : contract;
            boolean isInbox = room.startsWith("@");
            if (!isInbox && rules.sendsLater()) {
                CompletableFuture<@Nullable ErrorData> answer = rules.maySendLater(session, event, room);
                return new Continuation(answer, () -> {
                    handle(session, envelope, target, answer.join());
                    return null;
                });
            }
            boolean isAllowed = !isInbox && rules.maySend(session, event, room);
            handle(session, envelope, target, isAllowed ? null : Rules.sendRefusal(event, room));
            return null;
        };
    }

    private void handle(
            ServerSession session, Envelope envelope, ReceivedMessage.Target target, @Nullable ErrorData refusal)
            throws Exception {
        if (!session.mailbox().begin()) {
            return;
        }
        if (refusal != null) {
            throw refusal(refusal);
        }
        intercepted(session, envelope, target);
        if (envelope.ref() != null) {
            session.answer(Outgoing.of(Protocol.REPLY).ref(envelope.ref()).rawData("null"));
        }
    }

    private static RealtimeException refusal(ErrorData refusal) {
        return new RealtimeException(ErrorCode.of(refusal.code()), refusal.message(), refusal.retryable(), null);
    }

    private void intercepted(ServerSession session, Envelope envelope, ReceivedMessage.Target target) throws Exception {
        long begun = context.scheduler().nanoTime();
        try {
            if (interceptors == null) {
                target.handle(session, envelope);
                return;
            }
            Throwable late = ReceivedMessage.handle(interceptors, session, envelope, context.payloads(), target);
            if (late != null) {
                // The message is handled, and answered or about to be. It gets no second answer.
                context.report(session, "an interceptor failed after the handler of '" + envelope.type() + "'", late);
            }
        } finally {
            context.counters().handlerTime().record(context.scheduler().nanoTime() - begun);
        }
    }

    /** Returns a handler that is not called with a dropped message. For messages without a rule. */
    private MessageHandler begun(ReceivedMessage.Target target) {
        return (session, envelope) -> {
            if (session.mailbox().begin()) {
                intercepted(session, envelope, target);
            }
            return null;
        };
    }

    public <Q, R> MessageHandler request(Request<Q, R> request, RequestHandler<Q, R> handler) {
        Payload requests = context.payloads().of(request.type());
        Payload replies = context.payloads().of(request.replyType());
        return begun((session, envelope) -> {
            String ref = requireRef(envelope);
            reply(session, ref, replies, handler.handle(session, envelope.<Q>received(requests)));
            return null;
        });
    }

    public <Q, R> MessageHandler asyncRequest(Request<Q, R> request, RequestHandler.Async<Q, R> handler) {
        Payload requests = context.payloads().of(request.type());
        Payload replies = context.payloads().of(request.replyType());
        return begun((session, envelope) -> {
            String ref = requireRef(envelope);
            Q data = envelope.received(requests);
            // Copied, so that a request that waits for its answer does not retain its frame.
            long seq = envelope.seq();
            AnswerLimit.Count answers = session.calls().beginAnswer();
            CompletionStage<R> later;
            try {
                later = Objects.requireNonNull(handler.handle(session, data), "the handler's stage");
            } catch (Throwable failure) {
                answers.end();
                throw failure;
            }
            context.inFlight().beginAnswer();
            Steps.whenComplete(later, (reply, failure) -> {
                answers.end();
                try {
                    answerLate(session, request, replies, ref, seq, reply, failure);
                } finally {
                    context.inFlight().endAnswer();
                }
            });
            return later;
        });
    }

    private <R> void answerLate(
            ServerSession session,
            Request<?, R> request,
            Payload replies,
            String ref,
            long seq,
            @Nullable R reply,
            @Nullable Throwable failure) {
        Throwable why = failure;
        try {
            if (why == null) {
                reply(session, ref, replies, reply);
            }
        } catch (Throwable unfit) {
            // The reply cannot be written.
            why = unfit;
        }
        if (why != null) {
            session.answer(session.error(ref, seq, report(session, request.name(), why)));
        }
    }

    public <Q, T> MessageHandler stream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
        Payload requests = context.payloads().of(request.type());
        Payload items = context.payloads().of(request.itemType());
        return begun((session, envelope) -> {
            Q data = envelope.received(requests);
            StreamSource<T> source = session.calls().begin(requireRef(envelope), items);
            produce(session.userId(), () -> source.run(out -> handler.handle(session, data, out)), source);
            return null;
        });
    }

    public <Q, T> MessageHandler asyncStream(StreamRequest<Q, T> request, StreamHandler.Async<Q, T> handler) {
        Payload requests = context.payloads().of(request.type());
        Payload items = context.payloads().of(request.itemType());
        return begun((session, envelope) -> {
            Q data = envelope.received(requests);
            StreamSource<T> source = session.calls().begin(requireRef(envelope), items);
            try {
                handler.handle(session, data, source);
            } catch (Throwable failure) {
                // The application's code failed. An Error, too, ends only this stream.
                source.fail(failure);
            }
            return null;
        });
    }

    /**
     * Runs the producer of a stream of this user, on a thread that it may block. Fails the stream with {@code
     * overloaded} when no thread is free.
     */
    private void produce(String user, Runnable task, StreamSink<?> stream) {
        if (!context.workers().streams().tryExecute(user, task)) {
            stream.fail(new RealtimeException(
                    ErrorCode.OVERLOADED, "the server produces as many streams as it has threads for", true, null));
        }
    }

    private static String requireRef(Envelope envelope) {
        String ref = envelope.ref();
        if (ref == null) {
            throw new RealtimeException(ErrorCode.BAD_MESSAGE, "request '" + envelope.type() + "' needs a ref");
        }
        return ref;
    }

    private static void reply(ServerSession session, String ref, Payload replies, @Nullable Object reply) {
        session.answer(Outgoing.of(Protocol.REPLY).ref(ref).data(reply, replies));
    }
}
