package io.realtime.client;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.internal.Steps;
import io.realtime.internal.calls.Questions;
import io.realtime.internal.calls.Questions.Question;
import io.realtime.internal.calls.RequestCall;
import io.realtime.internal.calls.Sources;
import io.realtime.internal.calls.StreamCall;
import io.realtime.internal.calls.StreamSource;
import io.realtime.internal.wire.EntryBudget;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Json;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Scheduler;
import java.lang.reflect.Type;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * The requests and streams of a client, in both directions. Requests go through the outbox, and answers come through
 * the session's inbox. Both survive a lost connection. Requests that this client sent end with the session. Any thread
 * may send a request. The rest runs on the scheduler's thread, except the application's producers.
 */
final class ClientCalls {
    /** How many streams may be produced here at once. */
    private static final int MOST_SOURCES = 100;

    /** After how many frames of the inbox, or how many characters, the server is told how far it has arrived. */
    private static final int READ_FRAMES = 32;

    private static final int READ_LENGTH = 64 * 1024;

    /** The length of a {@code $credit} without streams, and of a number in it. */
    private static final int CREDIT_BYTES = 80;

    private static final int NUMBER_BYTES = 20;

    /** How long such a report waits at most while a request is open. */
    private static final Duration READ_PAUSE = Duration.ofMillis(100);

    private final Sender sender;
    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;
    private final Predicate<Outgoing> connection;
    private final Questions questions;
    private final Sources sources = new Sources(MOST_SOURCES);
    private final Map<String, Answerer> answerers = new ConcurrentHashMap<>();
    private final ThreadPoolExecutor producers;

    // Counts the users: each has another number.
    private final AtomicInteger era = new AtomicInteger();
    // Requests whose handlers have begun and not answered.
    private final AtomicInteger owed = new AtomicInteger();
    // The thread that runs a request's handler; written on the callback executor only.
    private volatile @Nullable Thread handling;
    // Answers that are about to be added to the late ones.
    private final AtomicInteger dropped = new AtomicInteger();
    private final Runnable onAnswered;
    private final Once soon;

    // The fields below are owned by the scheduler's thread.

    // Credit that was granted and not sent yet.
    private final Map<String, Long> unsaid = new LinkedHashMap<>();
    private final PendingAnswers late = new PendingAnswers();
    private boolean isSayingSoon;
    // In bytes, so that the server and the connection accept it.
    private int longestCredit;
    private long read;
    private int unsaidFrames;
    private int unsaidLength;
    private Scheduler.@Nullable Cancellable readTimer;
    private boolean isSessionLost;
    private long lostUpTo;
    private long lostBehind;

    /** A handler of the server's requests of one name, on the callback executor. */
    private interface Answerer {
        void answer(Asker asker, Envelope question) throws Exception;
    }

    /**
     * The server in its role for one user, and one of its requests.
     *
     * @param era the number of the user
     */
    private record Asker(int era, String ref) {}

    /** A message to one that has sent a request, or was sent one. */
    record Answer(Asker to, String type, long index, String json) {
        long cost() {
            return CallbackDispatcher.cost(json.length());
        }
    }

    /**
     * @param name the prefix of this client's requests, unique to it
     * @param connection sends a frame; returns false when there is no connection, or it is full
     * @param onAnswered called on any thread when a handler has answered a request
     */
    ClientCalls(
            String name,
            Sender sender,
            CallbackDispatcher callbacks,
            Scheduler scheduler,
            Predicate<Outgoing> connection,
            Runnable onAnswered) {
        this.questions = new Questions(name + "-");
        this.sender = sender;
        this.callbacks = callbacks;
        this.scheduler = scheduler;
        this.connection = connection;
        this.onAnswered = onAnswered;
        this.soon = new Once(this::post, this::saySoon);
        this.producers =
                new ThreadPoolExecutor(0, MOST_SOURCES, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
                    Thread thread = new Thread(task, "realtime-client-stream");
                    thread.setDaemon(true);
                    return thread;
                });
    }

    // ---- sending requests, on any thread

    <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        ClientFuture<R> result = callbacks.newFuture();
        if (result.isDone()) {
            return result;
        }
        Executor executor = callbacks.executor();
        RequestCall<R> call = new RequestCall<>(result, payload(request.replyType()), executor);
        String json = json(data, payload(request.type()), call, executor);
        if (json != null) {
            String ref = questions.newRef();
            ask(ref, request.name(), json, new Asked(call, executor));
            call.within(timeout, scheduler, questions, ref);
            result.onCancel(() -> withdraw(ref, result));
        }
        return result;
    }

    private boolean withdraw(String ref, CompletableFuture<?> result) {
        Question question = questions.get(ref);
        if (question == null || !questions.close(ref)) {
            return false;
        }
        result.completeExceptionally(new CancellationException());
        question.failed(new RealtimeException(ErrorCode.CLOSED, "it was cancelled"));
        return true;
    }

    /** @param executor runs the listener, in order and one call at a time */
    <Q, T> Subscription stream(
            StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener, Executor executor) {
        RealtimeException refusal = callbacks.untold().refusalOrNull();
        if (refusal != null) {
            throw refusal;
        }
        String ref = questions.newRef();
        StreamCall<T> call = new StreamCall<>(
                listener,
                payload(request.itemType()),
                executor,
                upTo -> post(() -> grant(ref, upTo)),
                () -> cancel(ref),
                callbacks::tell);
        String json = json(data, payload(request.type()), call, executor);
        if (json != null) {
            ask(ref, request.name(), json, new Asked(call, executor));
            soon.post();
        }
        return call::cancel;
    }

    /**
     * @param executor on which the failure of the request is reported
     * @return null when the data does not fit; then the request has failed
     */
    private @Nullable String json(@Nullable Object data, Payload by, Question question, Executor executor) {
        try {
            return by.write(data);
        } catch (PayloadException unfit) {
            question.failed(unfit);
            callbacks.untold().failureWaitsFor(executor);
            return null;
        }
    }

    private Payload payload(Type type) {
        return callbacks.payloads().of(type);
    }

    private void ask(String ref, String type, String json, Asked asked) {
        CompletableFuture<Void> fate = new CompletableFuture<>();
        if (!questions.open(ref, asked)) {
            String why = Questions.MOST + " requests are open";
            asked.tell(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
            return;
        }
        boolean isSent = false;
        try {
            asked.entry = sender.ask(type, ref, json, fate);
            isSent = true;
        } finally {
            if (!isSent) {
                // Nothing would ever answer it.
                questions.close(ref);
            }
        }
        if (questions.get(ref) != asked) {
            // The request has ended before it had a message to give up.
            asked.giveUp();
        }
        CompletableFuture<Void> unused = fate.whenComplete((done, failure) -> {
            if (failure != null) {
                // The message was given up, or refused.
                questions.fail(ref, known(failure));
            }
        });
    }

    private static RealtimeException known(Throwable failure) {
        return failure instanceof RealtimeException known
                ? known
                : new RealtimeException(ErrorCode.INTERNAL, String.valueOf(failure), false, failure);
    }

    /** An open request, and the message that carries it. */
    private final class Asked implements Question {
        final Question question;
        // Runs what hands over the answer.
        private final Executor executor;
        volatile Outbox.@Nullable OutboxEntry entry;
        // Owned by the scheduler's thread. Whether a part of an answer has arrived.
        private boolean isHeard;

        Asked(Question question, Executor executor) {
            this.question = question;
            this.executor = executor;
        }

        @Override
        public void reply(Envelope reply) {
            heard();
            question.reply(reply);
            callbacks.waitsFor(executor, reply.length());
        }

        @Override
        public void item(Envelope item) {
            heard();
            question.item(item);
            callbacks.waitsFor(executor, item.length());
        }

        @Override
        public void end(Envelope end) {
            heard();
            question.end(end);
            callbacks.waitsFor(executor, end.length());
        }

        /**
         * Notes that an answer has arrived. The server has the message, so it is not sent again, even if the next
         * server does not know it.
         */
        void heard() {
            if (!isHeard) {
                isHeard = true;
                giveUp();
            }
        }

        @Override
        public void failed(RealtimeException why) {
            tell(why);
            Outbox.OutboxEntry mine = entry;
            if (mine != null && mine.seq() > 0) {
                // Otherwise it was refused, or ask() gives it up.
                post(this::giveUp);
            }
        }

        void tell(RealtimeException why) {
            question.failed(why);
            callbacks.untold().failureWaitsFor(executor);
        }

        /** Gives the request's message up. Returns true if it was never sent. */
        boolean giveUp() {
            Outbox.OutboxEntry mine = entry;
            return mine != null && sender.giveUp(mine) && !sender.wasSent(mine);
        }

        /** Returns true if no part of an answer has arrived, and the message is not processed yet, or never will be. */
        boolean isUnheard(long processed) {
            Outbox.OutboxEntry mine = entry;
            if (mine == null || mine.seq() == 0) {
                // Another thread is about to send it, or it was refused and told why.
                return true;
            }
            return !isHeard && mine.seq() > processed && sender.holds(mine);
        }
    }

    private void post(Runnable task) {
        scheduler.schedule(Duration.ZERO, task);
    }

    private void cancel(String ref) {
        Question question = questions.get(ref);
        if (questions.close(ref)) {
            // Otherwise it was refused, or the server has ended it.
            post(() -> {
                if (!(question instanceof Asked asked) || !asked.giveUp()) {
                    tell(new Asker(era.get(), ref), Protocol.CANCEL, -1, "null");
                }
            });
        }
    }

    // ---- the server's answers, on the scheduler's thread

    boolean reply(Envelope frame) {
        return questions.reply(frame);
    }

    void item(Envelope frame) {
        questions.item(frame);
    }

    void end(Envelope frame) {
        questions.end(frame);
    }

    boolean error(Envelope frame, RealtimeException failure) {
        String ref = frame.ref();
        if (ref == null || !(questions.get(ref) instanceof Asked asked)) {
            return false;
        }
        asked.heard();
        boolean isOpen = questions.fail(ref, failure);
        callbacks.waitsFor(asked.executor, frame.length());
        return isOpen;
    }

    /** Handles the arrival of a frame of the session's inbox. */
    void arrived(long offset, int length) {
        if (offset > 0) {
            read = offset;
            unsaidFrames++;
            unsaidLength += length;
            if (unsaidFrames >= READ_FRAMES || unsaidLength >= READ_LENGTH) {
                say();
            } else {
                saySoon();
            }
        }
    }

    /**
     * Schedules a report of how far the inbox has arrived. A stream may wait for less than a batch, since the server
     * limits how much is unread.
     */
    private void saySoon() {
        if (unsaidFrames > 0 && readTimer == null && !questions.isEmpty()) {
            readTimer = scheduler.schedule(READ_PAUSE, this::say);
        }
    }

    private void grant(String ref, long upTo) {
        unsaid.put(ref, upTo);
        if (!isSayingSoon) {
            // Sent together with what others grant now.
            post(this::say);
            // Only now, since a scheduler may throw.
            isSayingSoon = true;
        }
    }

    private void say() {
        isSayingSoon = false;
        stopTimer();
        // The server has no use for it.
        unsaid.keySet().removeIf(ref -> questions.get(ref) == null);
        if (unsaid.isEmpty() && unsaidFrames == 0) {
            return;
        }
        do {
            Map<String, Long> some = someUnsaid();
            Protocol.Credit credit = new Protocol.Credit(read == 0 ? null : read, some.isEmpty() ? null : some);
            if (!connection.test(Outgoing.of(Protocol.CREDIT).data(credit, Protocol.Credit.class))) {
                // Sent when the connection is drained, or after the next welcome.
                return;
            }
            unsaid.keySet().removeAll(some.keySet());
            unsaidFrames = 0;
            unsaidLength = 0;
        } while (!unsaid.isEmpty());
    }

    /** Returns as much of the credit as fits in a frame, but at least one stream's. */
    private Map<String, Long> someUnsaid() {
        EntryBudget budget = new EntryBudget(longestCredit - CREDIT_BYTES);
        Map<String, Long> some = new LinkedHashMap<>();
        for (Map.Entry<String, Long> one : unsaid.entrySet()) {
            if (!budget.take(one.getKey(), NUMBER_BYTES) && !some.isEmpty()) {
                break;
            }
            some.put(one.getKey(), one.getValue());
        }
        return some;
    }

    /** Sends what the connection did not take before. */
    void drained() {
        say();
    }

    private void stopTimer() {
        if (readTimer != null) {
            readTimer.cancel();
            readTimer = null;
        }
    }

    /**
     * Handles a new connection: sends again what the server may have missed.
     *
     * @param longestQuestion in bytes
     */
    void welcomed(int longestQuestion) {
        longestCredit = longestQuestion;
        questions.forEach((ref, question) -> {
            if (question instanceof Asked asked && asked.question instanceof StreamCall<?> stream) {
                unsaid.put(ref, stream.granted());
            }
        });
        // An earlier report may be lost with its connection.
        unsaidFrames = read > 0 ? Math.max(1, unsaidFrames) : unsaidFrames;
        if (unsaid.isEmpty()) {
            saySoon();
        } else {
            say();
        }
    }

    /**
     * Handles the loss of the session; there is a new one. The old session will not answer any more, except for answers
     * that are in the new session's inbox.
     *
     * @param processed up to which number messages are processed
     * @param behind the offset in the new inbox up to which the answers to these are
     * @param inbox where the new inbox begins for this client
     */
    void sessionLost(long processed, long behind, long inbox) {
        cancelSources();
        late.clear();
        readFrom(inbox);
        isSessionLost = true;
        lostUpTo = processed;
        lostBehind = behind;
    }

    /** Fails the requests that a lost session will not answer, once its last answers are read. */
    void settle(long answersRead) {
        if (isSessionLost && answersRead >= lostBehind) {
            isSessionLost = false;
            failUnanswered(lostUpTo);
        }
    }

    /**
     * Handles the loss of a part of the inbox. It may have held the answer to any processed message, and credit for the
     * streams that are produced here. The server has given up all its own requests.
     */
    void answersLost(long processed, long inbox) {
        cancelSources();
        readFrom(inbox);
        failUnanswered(processed);
        saySoon();
    }

    /**
     * Cancels the streams that are produced here: at once, and again after the requests that wait for their handlers.
     */
    private void cancelSources() {
        sources.cancelAll();
        callbacks.execute(sources::cancelAll);
    }

    /**
     * Continues with another inbox, or at another offset of it. The former offset belongs to another log: with it the
     * server would drop messages of this one before they have arrived. What does not arrive any more must be reported
     * as read too, since otherwise it leaves no room for streams.
     */
    private void readFrom(long inbox) {
        read = inbox;
        unsaidFrames = inbox > 0 ? 1 : 0;
        unsaidLength = 0;
    }

    private void failUnanswered(long processed) {
        questions.forEach((ref, question) -> {
            if (question instanceof Asked asked && !asked.isUnheard(processed)) {
                questions.fail(ref, lost());
                if (asked.question instanceof StreamCall) {
                    // In case the stream still lives.
                    tell(new Asker(era.get(), ref), Protocol.CANCEL, -1, "null");
                }
            }
        });
    }

    private static RealtimeException lost() {
        return new RealtimeException(
                ErrorCode.CONNECTION_LOST, "the session was lost before the answer had come", true, null);
    }

    /** Ends everything: the application has disconnected, or the server does not accept this client. */
    void fail(RealtimeException why) {
        stopTimer();
        questions.failAll(why);
        sources.cancelAll();
    }

    /** Ends all requests and answers: they belonged to another user. */
    void userChanged(RealtimeException why) {
        era.incrementAndGet();
        fail(why);
        late.clear();
        unsaid.clear();
        readFrom(0);
    }

    void close() {
        producers.shutdown();
    }

    // ---- answering

    <Q, R> Subscription onRequest(Request<Q, R> request, RequestHandler.Async<Q, R> handler) {
        Payload questions = payload(request.type());
        Payload replies = payload(request.replyType());
        return register(request.name(), (asker, question) -> {
            Q asked = question.received(questions);
            owed.incrementAndGet();
            CompletionStage<R> later;
            handling = Thread.currentThread();
            try {
                later = Objects.requireNonNull(handler.handle(asked), "the handler's stage");
            } catch (Throwable failure) {
                // The application's code may throw anything.
                answer(asker, request, replies, null, failure);
                return;
            } finally {
                handling = null;
            }
            Steps.whenComplete(later, (reply, failure) -> answer(asker, request, replies, reply, failure));
        });
    }

    private <R> void answer(
            Asker asker, Request<?, R> request, Payload replies, @Nullable R reply, @Nullable Throwable failure) {
        try {
            write(asker, request, replies, reply, failure);
        } finally {
            // Only now: the answer is in the outbox, or waits for it.
            answered();
        }
    }

    private <R> void write(
            Asker asker, Request<?, R> request, Payload replies, @Nullable R reply, @Nullable Throwable failure) {
        if (failure != null) {
            fail(asker, failure);
            return;
        }
        String json;
        try {
            json = replies.write(reply);
        } catch (Throwable unfit) {
            // A fault of this side. A reply that is loaded lazily may fail with an Error.
            String why = "the reply of '" + request.name() + "' cannot be written";
            fail(asker, new IllegalStateException(why, unfit));
            return;
        }
        tell(asker, Protocol.REPLY, -1, json);
    }

    private void answered() {
        owed.decrementAndGet();
        onAnswered.run();
    }

    /**
     * Returns true if all requests whose handlers have begun, except this many, are answered and the answers are in the
     * outbox.
     */
    boolean owesNoMoreThan(int answers) {
        return owed.get() <= answers && !hasLateAnswers();
    }

    /** Returns true if the calling thread runs a request's handler, whose answer cannot come before it returns. */
    boolean isHandlingHere() {
        return handling == Thread.currentThread();
    }

    /** Returns true if answers wait until the outbox has room. */
    boolean hasLateAnswers() {
        return dropped.get() > 0 || !late.isEmpty();
    }

    <Q, T> Subscription onStream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
        Payload questions = payload(request.type());
        Payload items = payload(request.itemType());
        return register(request.name(), (asker, question) -> {
            Q asked = question.received(questions);
            StreamSource<T> source = begin(asker, items);
            try {
                producers.execute(() -> source.run(out -> handler.handle(asked, out)));
            } catch (RejectedExecutionException busy) {
                source.fail(new RealtimeException(ErrorCode.OVERLOADED, "too many streams", true, busy));
            }
        });
    }

    <Q, T> Subscription onStreamAsync(StreamRequest<Q, T> request, StreamHandler.Async<Q, T> handler) {
        Payload questions = payload(request.type());
        Payload items = payload(request.itemType());
        return register(request.name(), (asker, question) -> {
            Q asked = question.received(questions);
            StreamSource<T> source = begin(asker, items);
            try {
                handler.handle(asked, source);
            } catch (Throwable failure) {
                // The application's code: an Error ends this stream only.
                source.fail(failure);
            }
        });
    }

    private <T> StreamSource<T> begin(Asker asker, Payload items) {
        StreamSource<T> source = new StreamSource<>(items, new ServerReceiver(asker), callbacks.executor());
        if (!sources.add(asker.ref, source)) {
            throw new RealtimeException(ErrorCode.OVERLOADED, "too many streams", true, null);
        }
        if (isGone(asker)) {
            // The user changed meanwhile, and nothing else cancels it.
            source.cancel();
        }
        return source;
    }

    private Subscription register(String name, Answerer answerer) {
        if (answerers.putIfAbsent(name, answerer) != null) {
            throw new IllegalArgumentException("'" + name + "' has a handler already");
        }
        return () -> answerers.remove(name, answerer);
    }

    /** Handles a request of the server; on the scheduler's thread. */
    void question(Envelope question) {
        String ref = question.ref();
        if (ref != null) {
            Asker asker = new Asker(era.get(), ref);
            callbacks.execute(() -> answer(asker, question));
        }
    }

    /** Runs the handler of a request; on the callback executor. */
    private void answer(Asker asker, Envelope question) {
        if (isGone(asker)) {
            return;
        }
        Answerer answerer = answerers.get(question.type());
        if (answerer == null) {
            fail(asker, new RealtimeException(ErrorCode.NO_HANDLER, "nothing handles '" + question.type() + "'"));
            return;
        }
        try {
            answerer.answer(asker, question);
        } catch (Throwable failure) {
            // The application's code may throw anything.
            fail(asker, failure);
        }
    }

    /** Returns true if the user has changed: nobody waits for the answer, and it is not for the next user. */
    private boolean isGone(Asker asker) {
        return asker.era != era.get();
    }

    /** Sends a message that belongs to one user's request, and to no other user. */
    private Outbox.OutboxEntry send(Asker to, String type, long index, String json, CompletableFuture<Void> fate) {
        Outbox.OutboxEntry entry = sender.answer(type, to.ref, index, json, fate);
        if (isGone(to)) {
            // If the user changed meanwhile, the emptying of the outbox may have missed the message.
            sender.giveUp(entry);
        }
        return entry;
    }

    private void tell(Asker to, String type, long index, String json) {
        tell(new Answer(to, type, index, json));
    }

    /** Sends an answer. If the outbox has no room for it, it waits. Throws nothing, since no caller would see it. */
    private void tell(Answer answer) {
        CompletableFuture<Void> fate = new CompletableFuture<>();
        try {
            Outbox.OutboxEntry unused = send(answer.to, answer.type, answer.index, answer.json, fate);
        } catch (Throwable failure) {
            // A failure of the scheduler.
            callbacks.error(failure);
        }
        CompletableFuture<Void> unusedToo = fate.whenComplete((done, failure) -> {
            if (failure != null && isWanted(answer.to, failure)) {
                untold(answer, known(failure));
            }
        });
    }

    /** Returns true if the asker is still there, so that it misses a message that was dropped for this reason. */
    private boolean isWanted(Asker to, Throwable why) {
        ErrorCode code = known(why).code();
        return !isGone(to) && !code.equals(ErrorCode.CLOSED) && !code.equals(ErrorCode.USER_CHANGED);
    }

    private void untold(Answer answer, RealtimeException why) {
        if (why.code().equals(ErrorCode.OVERLOADED)) {
            dropped.incrementAndGet();
            try {
                post(() -> keep(answer));
            } catch (Throwable failure) {
                // A failure of the scheduler.
                dropped.decrementAndGet();
                callbacks.error(failure);
            }
            return;
        }
        callbacks.error(why);
        if (answer.type.equals(Protocol.REPLY) || answer.type.equals(Protocol.END)) {
            // Otherwise the asker would wait for its timeout.
            fail(answer.to, why);
        }
    }

    private void keep(Answer answer) {
        if (!isGone(answer.to) && !late.add(answer)) {
            String why = "the outbox is full, and so many answers wait for it that one was dropped";
            callbacks.error(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
        }
        dropped.decrementAndGet();
        onAnswered.run();
    }

    private void fail(Asker asker, Throwable thrown) {
        ErrorData error = ErrorData.refusal(thrown);
        if (error == null) {
            callbacks.error(Steps.unwrap(thrown));
            error = ErrorData.of(ErrorCode.INTERNAL, "the handler failed", false);
        }
        tell(asker, Protocol.ERROR, -1, Json.payload(ErrorData.class).write(error));
    }

    /** Handles credit: the server accepts more items. */
    void credit(Envelope frame) {
        Protocol.Credit credit = frame.data(Protocol.Credit.class);
        if (credit.streams() != null) {
            sources.grant(credit.streams());
        }
    }

    /** Handles {@code $cancel}: the server does not want a stream any more. */
    void cancelled(Envelope frame) {
        String ref = frame.ref();
        if (ref != null) {
            sources.cancel(ref);
            // The request may still wait for its handler.
            callbacks.execute(() -> sources.cancel(ref));
        }
    }

    /** Continues after messages have left the outbox. */
    void roomAgain() {
        if (!late.isEmpty() && sender.hasRoom()) {
            late.take().forEach(this::tell);
        }
        sources.roomAgain();
    }

    /** Sends a stream's items to the server through the outbox, of which they may fill one half. */
    private final class ServerReceiver implements StreamSource.Receiver {
        private final Asker asker;
        // Whether the reader gets nothing more except an error.
        private final AtomicBoolean isBroken = new AtomicBoolean();

        ServerReceiver(Asker asker) {
            this.asker = asker;
        }

        @Override
        public boolean hasRoom() {
            return sender.hasRoom();
        }

        @Override
        public void item(long index, String json) {
            CompletableFuture<Void> fate = new CompletableFuture<>();
            Outbox.OutboxEntry entry = send(asker, Protocol.NEXT, index, json, fate);
            if (entry.seq() == 0) {
                throw sender.whyRefused(entry);
            }
            CompletableFuture<Void> unused = fate.whenComplete((done, failure) -> {
                if (failure != null && isWanted(asker, failure)) {
                    lost(known(failure));
                }
            });
        }

        /**
         * Handles the loss of an item, which was dropped from the outbox: the reader cannot use the items that follow.
         */
        private void lost(RealtimeException why) {
            if (isBroken.compareAndSet(false, true)) {
                callbacks.error(why);
                sources.abort(asker.ref, ErrorData.of(why));
            }
        }

        @Override
        public void over(long count, @Nullable ErrorData error) {
            sources.remove(asker.ref);
            if (error == null) {
                // A reader that misses an item detects it by the count.
                tell(asker, Protocol.END, count, "null");
            } else {
                isBroken.set(true);
                tell(asker, Protocol.ERROR, -1, Json.payload(ErrorData.class).write(error));
            }
        }

        @Override
        public void report(Throwable failure) {
            callbacks.error(failure);
        }
    }
}
