package io.realtime.server.internal.session;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.internal.calls.OpenRequests;
import io.realtime.internal.calls.OpenRequests.AnswerHandler;
import io.realtime.internal.calls.RequestCall;
import io.realtime.internal.calls.Sources;
import io.realtime.internal.calls.StreamCall;
import io.realtime.internal.calls.StreamSource;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.limits.AnswerLimit;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * The requests that a session's client was sent, and the streams that it has requested. All of them end with the
 * session. Safe for use by many threads.
 */
public final class ServerCalls {
    private final SessionContext context;
    private final ServerSession session;
    private final OpenRequests requests;
    private final Sources sources;
    private final AnswerLimit.Count answers;
    // The mailbox's thread, while it hands a frame to a stream.
    private volatile @Nullable Thread answering;

    ServerCalls(SessionContext context, ServerSession session) {
        this.context = context;
        this.session = session;
        this.requests = new OpenRequests(session.id() + "-");
        this.sources = new Sources(context.limits().streamsPerSession());
        this.answers = context.lateAnswers().of(session.userId());
    }

    // ---- requests to the client

    <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        if (session.hasEnded()) {
            return CompletableFuture.failedFuture(gone());
        }
        CompletableFuture<R> result = new CompletableFuture<>();
        String ref = requests.newRef();
        RequestCall<R> call = new RequestCall<>(result, context.payloads().of(request.replyType()), this::execute);
        ask(
                ref,
                call,
                Outgoing.of(request.name())
                        .ref(ref)
                        .data(data, context.payloads().of(request.type())));
        call.within(timeout, context.scheduler(), requests, ref);
        return result;
    }

    <Q, T> Subscription stream(StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener) {
        String ref = requests.newRef();
        StreamCall<T> call = new StreamCall<>(
                listener,
                context.payloads().of(request.itemType()),
                this::inOrder,
                upTo -> session.tell(Outgoing.of(Protocol.CREDIT)
                        .data(new Protocol.Credit(null, Map.of(ref, upTo)), Protocol.Credit.class)),
                () -> {
                    requests.close(ref);
                    session.tell(Outgoing.of(Protocol.CANCEL).ref(ref));
                },
                failure -> context.report(session, "a stream's listener failed", failure));
        ask(
                ref,
                call,
                Outgoing.of(request.name())
                        .ref(ref)
                        .data(data, context.payloads().of(request.type())));
        return call::cancel;
    }

    /** Runs a task that calls the application outside of the mailbox, on a thread that no handler holds. */
    private void execute(Runnable task) {
        context.workers().callbacks().execute(session.userId(), task);
    }

    /**
     * Runs a stream's listener: in the task of the frame that it is called for, else after the tasks that wait in the
     * mailbox.
     */
    private void inOrder(Runnable task) {
        if (answering == Thread.currentThread()) {
            // What the listener causes does not belong to this frame.
            answering = null;
            task.run();
        } else {
            session.mailbox().post(task);
        }
    }

    private void ask(String ref, AnswerHandler request, Outgoing frame) {
        if (!requests.open(ref, request)) {
            String why = OpenRequests.MOST + " requests to this session are open";
            request.failed(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
            return;
        }
        boolean isAsked = false;
        try {
            session.tell(frame);
            isAsked = true;
        } finally {
            if (!isAsked) {
                // For example the request is too big. The caller gets the exception.
                requests.close(ref);
            }
        }
        if (session.hasEnded()) {
            requests.fail(ref, gone());
        }
    }

    private RealtimeException gone() {
        if (context.state().isClosed()) {
            return ServerState.closed();
        }
        return new RealtimeException(ErrorCode.CONNECTION_LOST, "the session is over", false, null);
    }

    /**
     * Handles the answer to a request on an I/O thread, before the mailbox does, since a handler may wait for it. When
     * the mailbox handles the same frame, nobody waits for it any more.
     */
    public void answeredAtOnce(Envelope frame) {
        boolean isAnswer = frame.type().equals(Protocol.REPLY) || frame.type().equals(Protocol.ERROR);
        if (isAnswer && frame.ref() != null && requests.get(frame.ref()) instanceof RequestCall) {
            take(frame);
        }
    }

    /** Handles an answer of the client, in the mailbox. An answer that nobody waits for any more is dropped. */
    public void answered(Envelope frame) {
        answering = Thread.currentThread();
        try {
            take(frame);
        } finally {
            answering = null;
        }
    }

    private void take(Envelope frame) {
        switch (frame.type()) {
            case Protocol.REPLY -> requests.reply(frame);
            case Protocol.NEXT -> requests.item(frame);
            case Protocol.END -> requests.end(frame);
            default -> requests.fail(frame.ref(), frame.error().exception());
        }
    }

    // ---- later answers

    /**
     * Begins to answer a request later. {@link AnswerLimit.Count#end} ends it.
     *
     * @throws RealtimeException with {@code overloaded} when too many have begun
     */
    public AnswerLimit.Count beginAnswer() {
        if (session.hasEnded()) {
            // The session may have ended before this object was created.
            answers.over();
        }
        answers.begin();
        return answers;
    }

    // ---- streams to the client

    /**
     * Begins a stream.
     *
     * @throws RealtimeException when too many streams are open, one with this ref is open, or the session is over
     */
    public <T> StreamSource<T> begin(String ref, Payload items) {
        if (sources.has(ref)) {
            throw new RealtimeException(ErrorCode.BAD_MESSAGE, "a stream with this ref is open");
        }
        StreamSource<T> source = new StreamSource<>(items, new ClientReceiver(ref), this::execute);
        if (!sources.add(ref, source)) {
            String why =
                    context.limits().streamsPerSession() + " streams are open, as many as limits.streamsPerSession";
            throw new RealtimeException(ErrorCode.OVERLOADED, why, true, null);
        }
        if (session.hasEnded()) {
            // The client waits in its next session, where this answer goes.
            sources.remove(ref);
            throw gone();
        }
        return source;
    }

    /** Handles credit of the client. Returns false when it grants no more than before. Called on an I/O thread. */
    boolean grant(Map<String, Long> streams) {
        return sources.granted(streams);
    }

    /** Cancels a stream, for the client. Called on any thread. */
    public void cancel(String ref) {
        sources.cancel(ref);
    }

    /** Fails a request that the client was not sent, for this reason. */
    public void fail(String ref, RealtimeException why) {
        requests.fail(ref, why);
    }

    /** Notes that there may be room for items again. */
    public void roomAgain() {
        sources.roomAgain();
    }

    /** Notes that messages to the client were lost. A request or an item may have been among them. */
    void inboxLost() {
        sources.cancelAll();
        RealtimeException why = new RealtimeException(
                ErrorCode.CONNECTION_LOST, "some of what was sent to the client is lost", true, null);
        requests.forEach((ref, request) -> {
            if (requests.fail(ref, why) && request instanceof StreamCall) {
                // The request may have arrived, or may arrive yet.
                session.tell(Outgoing.of(Protocol.CANCEL).ref(ref));
            }
        });
    }

    /** Ends all, since the session is over. */
    void over() {
        answers.over();
        sources.cancelAll();
        requests.failAll(gone());
    }

    /** The receiver of a stream's items, which sends them to the client. */
    private final class ClientReceiver implements StreamSource.Receiver {
        private final String ref;

        ClientReceiver(String ref) {
            this.ref = ref;
        }

        @Override
        public boolean hasRoom() {
            return session.hasRoomForStreams();
        }

        @Override
        public void item(long index, String json) {
            session.tell(Outgoing.of(Protocol.NEXT).ref(ref).index(index).rawData(json));
        }

        @Override
        public void over(long count, @Nullable ErrorData error) {
            sources.remove(ref);
            if (error != null) {
                context.counters().refusedMessage(error.code());
            }
            session.tell(
                    error == null ? Outgoing.of(Protocol.END).ref(ref).index(count) : session.error(ref, 0, error));
        }

        @Override
        public void report(Throwable failure) {
            context.report(session, "a stream failed", failure);
        }
    }
}
