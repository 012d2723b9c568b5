package io.realtime.server;

import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.Message;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.internal.calls.StreamSource;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Frames;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.spi.FrameBatch;
import java.time.Instant;
import java.util.Map;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** What a session's messages do: the protocol's own, and the application's handlers. Runs in the session's mailbox. */
final class Dispatcher {
    private final ServerCore core;
    private final Map<String, Handler> handlers;

    Dispatcher(ServerCore core, Map<String, Handler> handlers) {
        this.core = core;
        this.handlers = handlers;
    }

    /** Handles one message to its end; whatever comes of it, it counts as processed. */
    void dispatch(Session session, Peer peer, Envelope envelope) {
        try {
            if (envelope.isProtocol()) {
                protocol(session, peer, envelope);
            } else {
                application(session, envelope);
            }
        } catch (Throwable failure) { // an Error of one handler must not cost the session its next message
            fail(session, peer, envelope, failure);
        }
        if (envelope.seq() > 0) {
            session.processed(envelope.seq());
        }
    }

    private void protocol(Session session, Peer peer, Envelope envelope) {
        switch (envelope.type()) {
            case Frames.JOIN -> join(session, peer, envelope);
            case Frames.LEAVE -> {
                if (session.peer() != peer) {
                    return; // asked on a connection that is gone: on the next one the client asks again, or thinks
                    // better
                }
                session.exit(named(envelope));
                answer(peer, Outgoing.of(Frames.REPLY).ref(envelope.ref()).room(envelope.room()));
            }
            case Frames.HISTORY -> history(session, peer, envelope);
            case Frames.AUTH -> auth(session, peer, envelope);
            case Frames.REPLY, Frames.NEXT, Frames.END, Frames.ERROR -> {
                if (session.hasCalls()) {
                    session.calls().answered(envelope);
                }
            }
            case Frames.CANCEL -> {
                if (session.hasCalls() && envelope.ref() != null) {
                    session.calls().cancel(envelope.ref());
                }
            }
            case Frames.ACK ->
                session.inboxHandled(
                        envelope.<Frames.InboxAck>data(Frames.InboxAck.class).offset());
            default ->
                throw new RealtimeException(
                        ErrorCode.UNKNOWN_TYPE, "there is no '" + envelope.type() + "' in this version");
        }
    }

    /** Answers a question of the protocol, on the connection that asked. */
    private static void answer(Peer peer, Outgoing frame) {
        peer.send(FrameBatch.of(frame.frame()));
    }

    private void join(Session session, Peer peer, Envelope envelope) {
        String room = named(envelope);
        Frames.Join wish = envelope.hasData() ? envelope.data(Frames.Join.class) : new Frames.Join(null, null);
        if (!core.hasJoinRule()) {
            throw new RealtimeException(
                    ErrorCode.FORBIDDEN, "no rule says who may join '" + room + "': the server has no allowJoin");
        }
        if (!core.mayJoin(session, room)) {
            throw new RealtimeException(ErrorCode.FORBIDDEN, "joining '" + room + "' is not allowed");
        }
        if (!session.isIn(room) && session.rooms().size() >= core.limits().roomsPerSession()) {
            throw new RealtimeException(
                    ErrorCode.OVERLOADED,
                    "the session is in " + core.limits().roomsPerSession() + " rooms and may join no more");
        }
        int history = wish.history() == null ? 0 : Math.max(0, wish.history());
        Session.Joined joined = session.reenter(peer, room, wish.since(), history);
        if (joined != null) {
            session.announce(joined, envelope.ref());
        }
    }

    private void history(Session session, Peer peer, Envelope envelope) {
        String room = envelope.room();
        if (room == null) {
            throw new PayloadException("room is required");
        }
        boolean isInbox = room.startsWith("@");
        if (isInbox ? !session.isIn(room) : !session.isIn(room) && !core.mayJoin(session, room)) {
            throw new RealtimeException(ErrorCode.FORBIDDEN, "reading '" + Names.abbreviate(room) + "' is not allowed");
        }
        Frames.HistoryQuery query = envelope.hasData()
                ? envelope.data(Frames.HistoryQuery.class)
                : new Frames.HistoryQuery(null, null, null);
        RoomState log = session.log(room);
        if (log == null) {
            return; // the session is over, and its connection with it
        }
        RoomState.Page page = log.page(session, query, core.limits().outboundBytes() / 4);
        StringBuilder json =
                new StringBuilder("{\"epoch\":\"").append(page.epoch()).append("\",\"messages\":[");
        for (int i = 0; i < page.messages().size(); i++) {
            json.append(i == 0 ? "" : ",").append(page.messages().get(i).asText());
        }
        json.append("],\"more\":").append(page.more());
        json.append(",\"next\":").append(page.next());
        json.append(",\"floor\":").append(page.floor()).append('}');
        answer(peer, Outgoing.of(Frames.REPLY).ref(envelope.ref()).room(room).rawData(json.toString()));
    }

    private void auth(Session session, Peer peer, Envelope envelope) {
        Frames.Auth auth = envelope.data(Frames.Auth.class);
        core.authenticate(new Credentials(auth.token(), null, peer.handshake()), (proof, refusal) -> {
            if (proof == null || !proof.user().equals(session.user().id())) {
                RealtimeException why = refusal != null
                        ? refusal
                        : new RealtimeException(ErrorCode.UNAUTHORIZED, "the token is another user's");
                fail(session, peer, envelope, why);
                return;
            }
            peer.expireAt(proof.expiresAt());
            Long expiresAt =
                    proof.expiresAt() == null ? null : proof.expiresAt().toEpochMilli();
            answer(
                    peer,
                    Outgoing.of(Frames.REPLY)
                            .ref(envelope.ref())
                            .data(new Frames.AuthReply(expiresAt), Frames.AuthReply.class));
        });
    }

    private void application(Session session, Envelope envelope) throws Exception {
        boolean isBinary = envelope.payload() != null; // no handler takes bytes yet
        Handler handler = isBinary ? null : handlers.get(envelope.type());
        if (handler == null) {
            core.countUnhandled();
            if (envelope.ref() == null && envelope.seq() == 0) {
                return;
            }
            String what = (isBinary ? "binary '" : "'") + envelope.type() + "'";
            throw new RealtimeException(ErrorCode.NO_HANDLER, "nothing handles " + what);
        }
        handler.handle(session, envelope);
    }

    private static String named(Envelope envelope) {
        String room = envelope.room();
        if (room == null) {
            throw new PayloadException("room is required");
        }
        String fault = Names.roomFault(room);
        if (fault != null) {
            throw new PayloadException(fault);
        }
        return room;
    }

    /**
     * Tells the sender, and the log and the listener what is none of the sender's business.
     *
     * @param peer where a question of the protocol came from; null for the application's messages
     */
    private void fail(Session session, @Nullable Peer peer, Envelope envelope, Throwable failure) {
        ErrorData error;
        if (failure instanceof RealtimeException refused) {
            error = ErrorData.of(refused);
        } else {
            core.report(session, "the handler of '" + envelope.type() + "' failed", failure);
            error = ErrorData.of(ErrorCode.INTERNAL, "the handler of '" + envelope.type() + "' failed", false);
        }
        Outgoing frame = Outgoing.of(Frames.ERROR).ref(envelope.ref()).seq(envelope.seq());
        if (envelope.isProtocol() && peer != null) {
            answer(peer, frame.room(envelope.room()).data(error, ErrorData.class));
        } else {
            session.answer(frame.data(error, ErrorData.class));
        }
    }

    /** What takes the messages of one name. */
    @FunctionalInterface
    interface Handler {
        void handle(Session session, Envelope envelope) throws Exception;
    }

    <T> Handler event(Event<T> event, EventHandler<T> handler) {
        return (session, envelope) -> {
            String room = envelope.room();
            if (room != null && (room.startsWith("@") || !core.sendRule().allows(session, event, room))) {
                throw new RealtimeException(
                        ErrorCode.FORBIDDEN,
                        "sending '" + event.name() + "' to room '" + Names.abbreviate(room) + "' is not allowed");
            }
            handler.handle(
                    session,
                    new Message<>(
                            envelope.<T>data(event.type()),
                            room,
                            null,
                            session.user().id(), // never what the envelope claims
                            Instant.ofEpochMilli(core.scheduler().currentTimeMillis()),
                            envelope.isRedelivered()));
            if (envelope.ref() != null) {
                session.answer(Outgoing.of(Frames.REPLY).ref(envelope.ref()).rawData("null"));
            }
        };
    }

    <Q, R> Handler request(Request<Q, R> request, RequestHandler<Q, R> handler) {
        return (session, envelope) -> {
            String ref = requireRef(envelope);
            reply(session, ref, request, handler.handle(session, envelope.<Q>data(request.type())));
        };
    }

    <Q, R> Handler asyncRequest(Request<Q, R> request, RequestHandler.Async<Q, R> handler) {
        return (session, envelope) -> {
            String ref = requireRef(envelope);
            CompletionStage<R> later = handler.handle(session, envelope.<Q>data(request.type()));
            later.whenComplete((reply, failure) -> {
                try {
                    if (failure != null) {
                        fail(session, null, envelope, ServerCore.unwrap(failure));
                    } else {
                        reply(session, ref, request, reply);
                    }
                } catch (
                        Throwable unfit) { // a reply that cannot be written; one that is loaded lazily may fail with an
                    // Error
                    fail(session, null, envelope, unfit);
                }
            });
        };
    }

    <Q, T> Handler stream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
        return (session, envelope) -> {
            Q question = envelope.data(request.type());
            StreamSource<T> source = session.calls().begin(requireRef(envelope), request.itemType());
            core.produce(() -> source.run(out -> handler.handle(session, question, out)), source);
        };
    }

    <Q, T> Handler asyncStream(StreamRequest<Q, T> request, StreamHandler.Async<Q, T> handler) {
        return (session, envelope) -> {
            Q question = envelope.data(request.type());
            StreamSource<T> source = session.calls().begin(requireRef(envelope), request.itemType());
            try {
                handler.handle(session, question, source);
            } catch (Throwable failure) { // the application's code: an Error, too, ends this stream alone
                source.fail(failure);
            }
        };
    }

    private static String requireRef(Envelope envelope) {
        String ref = envelope.ref();
        if (ref == null) {
            throw new RealtimeException(ErrorCode.BAD_MESSAGE, "request '" + envelope.type() + "' needs a ref");
        }
        return ref;
    }

    private static <R> void reply(Session session, String ref, Request<?, R> request, @Nullable R reply) {
        Outgoing frame = Outgoing.of(Frames.REPLY).ref(ref);
        try {
            frame.data(reply, request.replyType());
        } catch (PayloadException unfit) { // the server's fault, not the asker's data
            throw new IllegalStateException("the reply of '" + request.name() + "' cannot be written", unfit);
        }
        session.answer(frame);
    }
}
