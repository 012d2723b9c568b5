package io.realtime.server;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.internal.calls.Questions;
import io.realtime.internal.calls.Questions.Question;
import io.realtime.internal.calls.RequestCall;
import io.realtime.internal.calls.Sources;
import io.realtime.internal.calls.StreamCall;
import io.realtime.internal.calls.StreamSource;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Protocol;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/**
 * What a session's client is asked, and the streams that it has asked for. All of it ends with the session. Safe for use by
 * many threads.
 */
final class ServerCalls {
    private final ServerCore core;
    private final Session session;
    private final Questions questions;
    private final Sources sources;
    private final AnswerLimit.Count answers;
    private volatile @Nullable Thread answering; // the mailbox's, while it takes a frame to a stream

    ServerCalls(ServerCore core, Session session) {
        this.core = core;
        this.session = session;
        this.questions = new Questions(session.id() + "-");
        this.sources = new Sources(core.limits().streamsPerSession());
        this.answers = core.lateAnswers().of(session.userId());
    }

    // ---- asking

    <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        if (session.hasEnded()) {
            return CompletableFuture.failedFuture(gone());
        }
        CompletableFuture<R> result = new CompletableFuture<>();
        String ref = questions.newRef();
        RequestCall<R> call = new RequestCall<>(result, core.payloads().of(request.replyType()), this::execute);
        ask(
                ref,
                call,
                Outgoing.of(request.name()).ref(ref).data(data, core.payloads().of(request.type())));
        call.within(timeout, core.scheduler(), questions, ref);
        return result;
    }

    <Q, T> Subscription stream(StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener) {
        String ref = questions.newRef();
        StreamCall<T> call = new StreamCall<>(
                listener,
                core.payloads().of(request.itemType()),
                this::inOrder,
                upTo -> session.tell(Outgoing.of(Protocol.CREDIT)
                        .data(new Protocol.Credit(null, Map.of(ref, upTo)), Protocol.Credit.class)),
                () -> {
                    questions.close(ref);
                    session.tell(Outgoing.of(Protocol.CANCEL).ref(ref));
                },
                failure -> core.report(session, "a stream's listener failed", failure));
        ask(
                ref,
                call,
                Outgoing.of(request.name()).ref(ref).data(data, core.payloads().of(request.type())));
        return call::cancel;
    }

    /** Runs what calls the application outside of the mailbox, on threads that no handler holds. */
    private void execute(Runnable task) {
        core.workers().callbacks().execute(session.userId(), task);
    }

    /** Runs a stream's listener: in the task of the frame that it hears of, else behind what waits in the mailbox. */
    private void inOrder(Runnable task) {
        if (answering == Thread.currentThread()) {
            answering = null; // what the listener brings about is none of the frame's
            task.run();
        } else {
            session.mailbox().post(task);
        }
    }

    private void ask(String ref, Question question, Outgoing frame) {
        if (!questions.open(ref, question)) {
            String why = Questions.MOST + " questions to this session are open";
            question.failed(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
            return;
        }
        boolean isAsked = false;
        try {
            session.tell(frame);
            isAsked = true;
        } finally {
            if (!isAsked) { // too big, say, which the caller is told
                questions.close(ref);
            }
        }
        if (session.hasEnded()) {
            questions.fail(ref, gone());
        }
    }

    private RealtimeException gone() {
        if (core.isReleased()) {
            return ServerCore.closed();
        }
        return new RealtimeException(ErrorCode.CONNECTION_LOST, "the session is over", false, null);
    }

    /**
     * On an I/O thread, before the mailbox comes to it: takes an answer to a request, which a handler may wait for. There it
     * finds nobody who waits any more.
     */
    void answeredAtOnce(Envelope frame) {
        boolean isAnswer = frame.type().equals(Protocol.REPLY) || frame.type().equals(Protocol.ERROR);
        if (isAnswer && frame.ref() != null && questions.get(frame.ref()) instanceof RequestCall) {
            take(frame);
        }
    }

    /** In the mailbox: what the client answers. What nobody waits for any more is dropped. */
    void answered(Envelope frame) {
        answering = Thread.currentThread();
        try {
            take(frame);
        } finally {
            answering = null;
        }
    }

    private void take(Envelope frame) {
        switch (frame.type()) {
            case Protocol.REPLY -> questions.reply(frame);
            case Protocol.NEXT -> questions.item(frame);
            case Protocol.END -> questions.end(frame);
            default -> questions.fail(frame.ref(), frame.error().exception());
        }
    }

    // ---- answering later

    /**
     * Begins to answer a request later; to be ended by {@link AnswerLimit.Count#end}.
     *
     * @throws RealtimeException when so many are begun already
     */
    AnswerLimit.Count beginAnswer() {
        if (session.hasEnded()) { // perhaps before this was made
            answers.over();
        }
        answers.begin();
        return answers;
    }

    // ---- producing

    /**
     * Begins a stream.
     *
     * @throws RealtimeException when there are too many, one has this ref, or the session is over
     */
    <T> StreamSource<T> begin(String ref, Payload items) {
        if (sources.has(ref)) {
            throw new RealtimeException(ErrorCode.BAD_MESSAGE, "a stream with this ref is open");
        }
        StreamSource<T> source = new StreamSource<>(items, new ClientReceiver(ref), this::execute);
        if (!sources.add(ref, source)) {
            String why = core.limits().streamsPerSession() + " streams are open, as many as limits.streamsPerSession";
            throw new RealtimeException(ErrorCode.OVERLOADED, why, true, null);
        }
        if (session.hasEnded()) { // the client waits in its next session, where this answer goes
            sources.remove(ref);
            throw gone();
        }
        return source;
    }

    /** On an I/O thread: the client takes more items; false when it takes none that it did not take before. */
    boolean grant(Map<String, Long> streams) {
        return sources.grant(streams);
    }

    /** On any thread: the client does not want a stream any more. */
    void cancel(String ref) {
        sources.cancel(ref);
    }

    /** The client was not asked, for this reason. */
    void fail(String ref, RealtimeException why) {
        questions.fail(ref, why);
    }

    /** There may be room for items again. */
    void roomAgain() {
        sources.roomAgain();
    }

    /** Some of what was sent to the client is lost: a question may have been among it, or an item. */
    void inboxLost() {
        sources.cancelAll();
        RealtimeException why = new RealtimeException(
                ErrorCode.CONNECTION_LOST, "some of what was sent to the client is lost", true, null);
        questions.forEach((ref, question) -> {
            if (questions.fail(ref, why) && question instanceof StreamCall) {
                session.tell(Outgoing.of(Protocol.CANCEL).ref(ref)); // the question may have arrived, or arrive yet
            }
        });
    }

    /** The session is over. */
    void over() {
        answers.over();
        sources.cancelAll();
        questions.failAll(gone());
    }

    /** The way of a stream's items to the client. */
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
            session.tell(
                    error == null ? Outgoing.of(Protocol.END).ref(ref).index(count) : session.error(ref, 0, error));
        }

        @Override
        public void report(Throwable failure) {
            core.report(session, "a stream failed", failure);
        }
    }
}
