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
 * Requests and streams, asked and answered. Questions go by the outbox, answers come by the session's inbox: both outlive
 * a lost connection, and what is asked ends when the session does. Asked by any thread; the rest is the scheduler's
 * thread's, but for what the application produces.
 */
final class ClientCalls {
    /** So many streams may be produced here at once. */
    private static final int MOST_SOURCES = 100;

    /** The server hears how far its inbox has arrived once in so many frames, or so many characters. */
    private static final int READ_FRAMES = 32;

    private static final int READ_LENGTH = 64 * 1024;

    /** How long a {@code $credit} without streams may be, and a number. */
    private static final int CREDIT_BYTES = 80;

    private static final int NUMBER_BYTES = 20;

    /** And at the latest after so long while something is asked. */
    private static final Duration READ_PAUSE = Duration.ofMillis(100);

    private final Sender sender;
    private final CallbackDispatcher callbacks;
    private final Scheduler scheduler;
    private final Predicate<Outgoing> connection;
    private final Questions questions;
    private final Sources sources = new Sources(MOST_SOURCES);
    private final Map<String, Answerer> answerers = new ConcurrentHashMap<>();
    private final ThreadPoolExecutor producers;

    private final AtomicInteger era = new AtomicInteger(); // another for each user
    private final AtomicInteger owed = new AtomicInteger(); // requests whose handlers have begun and not answered
    private volatile @Nullable Thread handling; // runs the handler of a request; written on the callback executor only
    private final AtomicInteger dropped = new AtomicInteger(); // answers that are about to be late
    private final Runnable onAnswered;
    private final Once soon;

    // The scheduler's thread only.
    private final Map<String, Long> unsaid = new LinkedHashMap<>(); // credit that was granted since it was last said
    private final PendingAnswers late = new PendingAnswers();
    private boolean isSayingSoon;
    private int longestCredit; // in bytes; the server takes it, and so does the connection
    private long read;
    private int unsaidFrames;
    private int unsaidLength;
    private Scheduler.@Nullable Cancellable readTimer;
    private boolean isSessionLost;
    private long lostUpTo;
    private long lostBehind;

    /** What answers the server's questions of one name, on the callback executor. */
    private interface Answerer {
        void answer(Asker asker, Envelope question) throws Exception;
    }

    /**
     * The server as one user's, which has asked something.
     *
     * @param era the user's
     */
    private record Asker(int era, String ref) {}

    /** What is said to one that has asked, or that was asked. */
    record Answer(Asker to, String type, long index, String json) {
        long cost() {
            return CallbackDispatcher.cost(json.length());
        }
    }

    /**
     * @param name nobody else's
     * @param connection sends a frame; false when there is no connection, or it is full
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

    // ---- asking, on any thread

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

    /** @param executor tells the question why there is none */
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
            String why = Questions.MOST + " questions are open";
            asked.tell(new RealtimeException(ErrorCode.OVERLOADED, why, true, null));
            return;
        }
        boolean isSent = false;
        try {
            asked.entry = sender.ask(type, ref, json, fate);
            isSent = true;
        } finally {
            if (!isSent) { // nothing would ever answer it
                questions.close(ref);
            }
        }
        if (questions.get(ref) != asked) { // it has ended before it had a message that could be given up
            asked.giveUp();
        }
        CompletableFuture<Void> unused = fate.whenComplete((done, failure) -> {
            if (failure != null) { // it was given up, or refused
                questions.fail(ref, known(failure));
            }
        });
    }

    private static RealtimeException known(Throwable failure) {
        return failure instanceof RealtimeException known
                ? known
                : new RealtimeException(ErrorCode.INTERNAL, String.valueOf(failure), false, failure);
    }

    /** A question, and the message that asks it. */
    private final class Asked implements Question {
        final Question question;
        private final Executor executor; // hands over what is answered
        volatile Outbox.@Nullable OutboxEntry entry;
        private boolean isHeard; // the scheduler's thread only: some of an answer has come

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

        /** An answer says that the message was taken: it is not sent again, whatever the next server has forgotten. */
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
            if (mine != null && mine.seq() > 0) { // else it was refused, or ask() gives it up
                post(this::giveUp);
            }
        }

        void tell(RealtimeException why) {
            question.failed(why);
            callbacks.untold().failureWaitsFor(executor);
        }

        /** Has the question not be sent, or not again; returns whether it never was. */
        boolean giveUp() {
            Outbox.OutboxEntry mine = entry;
            return mine != null && sender.giveUp(mine) && !sender.wasSent(mine);
        }

        /** Whether nothing of an answer has come, and the message is yet to be processed, or never will be. */
        boolean isUnheard(long processed) {
            Outbox.OutboxEntry mine = entry;
            if (mine == null || mine.seq() == 0) { // about to be asked by another thread, or refused: it is told why
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
        if (questions.close(ref)) { // else it was refused, or the server has said its last word
            post(() -> {
                if (!(question instanceof Asked asked) || !asked.giveUp()) {
                    tell(new Asker(era.get(), ref), Protocol.CANCEL, -1, "null");
                }
            });
        }
    }

    // ---- what the server answers, on the scheduler's thread

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

    /** A frame of the session's inbox has arrived. */
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

    /** A stream may wait for less than a batch to be read: the server holds no more unread than its limits allow. */
    private void saySoon() {
        if (unsaidFrames > 0 && readTimer == null && !questions.isEmpty()) {
            readTimer = scheduler.schedule(READ_PAUSE, this::say);
        }
    }

    private void grant(String ref, long upTo) {
        unsaid.put(ref, upTo);
        if (!isSayingSoon) { // together with what others grant now
            post(this::say);
            isSayingSoon = true; // not before: a scheduler may throw
        }
    }

    private void say() {
        isSayingSoon = false;
        stopTimer();
        unsaid.keySet().removeIf(ref -> questions.get(ref) == null); // the server has no use for it
        if (unsaid.isEmpty() && unsaidFrames == 0) {
            return;
        }
        do {
            Map<String, Long> some = someUnsaid();
            Protocol.Credit credit = new Protocol.Credit(read == 0 ? null : read, some.isEmpty() ? null : some);
            if (!connection.test(Outgoing.of(Protocol.CREDIT).data(credit, Protocol.Credit.class))) {
                return; // until the connection is drained, or another welcomed
            }
            unsaid.keySet().removeAll(some.keySet());
            unsaidFrames = 0;
            unsaidLength = 0;
        } while (!unsaid.isEmpty());
    }

    /** Returns as much of the credit as fits in a frame, at least one. */
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

    /** What the connection did not take may be said now. */
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
     * There is a connection: the server learns again what it may have missed.
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
        unsaidFrames =
                read > 0 ? Math.max(1, unsaidFrames) : unsaidFrames; // a word of it may be lost with a connection
        if (unsaid.isEmpty()) {
            saySoon();
        } else {
            say();
        }
    }

    /**
     * The session is another one. What the one before has not answered it never will, but for what it did answer in the
     * new one's inbox.
     *
     * @param processed up to which number messages are processed
     * @param behind up to where in the new inbox the answers to these stand
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

    /** Ends what a lost session will not answer any more, once what it did answer is read. */
    void settle(long answersRead) {
        if (isSessionLost && answersRead >= lostBehind) {
            isSessionLost = false;
            failUnanswered(lostUpTo);
        }
    }

    /**
     * Some of the inbox was lost: the answer to any message that is processed may have been in it. So may the credit of
     * streams that are produced here; the server has given up all that it had asked.
     */
    void answersLost(long processed, long inbox) {
        cancelSources();
        readFrom(inbox);
        failUnanswered(processed);
        saySoon();
    }

    /** Cancels what is produced here: at once, and again behind the questions that wait for their handlers. */
    private void cancelSources() {
        sources.cancelAll();
        callbacks.execute(sources::cancelAll);
    }

    /**
     * The inbox is another one, or goes on elsewhere. What was read before was of another log: the server would forget as
     * much of this one, before it has arrived. What does not arrive any more must be said too: it leaves streams no room.
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
                    tell(new Asker(era.get(), ref), Protocol.CANCEL, -1, "null"); // for the case that it lives on
                }
            }
        });
    }

    private static RealtimeException lost() {
        return new RealtimeException(
                ErrorCode.CONNECTION_LOST, "the session was lost before the answer had come", true, null);
    }

    /** The application has disconnected, or the server does not want this client. */
    void fail(RealtimeException why) {
        stopTimer();
        questions.failAll(why);
        sources.cancelAll();
    }

    /** What was asked and answered was another user's. */
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
            Q asked = question.data(questions);
            owed.incrementAndGet();
            CompletionStage<R> later;
            handling = Thread.currentThread();
            try {
                later = Objects.requireNonNull(handler.handle(asked), "the handler's stage");
            } catch (Throwable failure) { // the application's code: anything may come out of it
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
        } finally { // not before: the answer is in the outbox, or waits for it
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
        } catch (Throwable unfit) { // this side's fault; a reply that is loaded lazily may fail with an Error
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

    /** Returns whether all but so many requests whose handlers have begun are answered, and the answers are in the outbox. */
    boolean owesNoMoreThan(int answers) {
        return owed.get() <= answers && !hasLateAnswers();
    }

    /** Returns whether the calling thread runs the handler of a request, whose answer cannot come before it returns. */
    boolean isHandlingHere() {
        return handling == Thread.currentThread();
    }

    /** Returns whether answers wait until the outbox has room. */
    boolean hasLateAnswers() {
        return dropped.get() > 0 || !late.isEmpty();
    }

    <Q, T> Subscription onStream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
        Payload questions = payload(request.type());
        Payload items = payload(request.itemType());
        return register(request.name(), (asker, question) -> {
            Q asked = question.data(questions);
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
            Q asked = question.data(questions);
            StreamSource<T> source = begin(asker, items);
            try {
                handler.handle(asked, source);
            } catch (Throwable failure) { // the application's code: an Error, too, ends this stream alone
                source.fail(failure);
            }
        });
    }

    private <T> StreamSource<T> begin(Asker asker, Payload items) {
        StreamSource<T> source = new StreamSource<>(items, new ServerReceiver(asker), callbacks.executor());
        if (!sources.add(asker.ref, source)) {
            throw new RealtimeException(ErrorCode.OVERLOADED, "too many streams", true, null);
        }
        if (isGone(asker)) { // meanwhile: nobody else cancels it
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

    /** The server asks something; on the scheduler's thread. */
    void question(Envelope question) {
        String ref = question.ref();
        if (ref != null) {
            Asker asker = new Asker(era.get(), ref);
            callbacks.execute(() -> answer(asker, question));
        }
    }

    /** On the callback executor. */
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
        } catch (Throwable failure) { // the application's code: anything may come out of it
            fail(asker, failure);
        }
    }

    /** Returns whether nobody waits for the answer any more, and it is not for the user that came after. */
    private boolean isGone(Asker asker) {
        return asker.era != era.get();
    }

    /** Sends what belongs to a question of one user, and to nobody else. */
    private Outbox.OutboxEntry send(Asker to, String type, long index, String json, CompletableFuture<Void> fate) {
        Outbox.OutboxEntry entry = sender.answer(type, to.ref, index, json, fate);
        if (isGone(to)) { // before, or meanwhile: then it may have missed that the outbox was emptied
            sender.giveUp(entry);
        }
        return entry;
    }

    private void tell(Asker to, String type, long index, String json) {
        tell(new Answer(to, type, index, json));
    }

    /** Sends an answer. One that the outbox has no room for waits until it has. Throws nothing: nobody would see it. */
    private void tell(Answer answer) {
        CompletableFuture<Void> fate = new CompletableFuture<>();
        try {
            Outbox.OutboxEntry unused = send(answer.to, answer.type, answer.index, answer.json, fate);
        } catch (Throwable failure) { // a scheduler's
            callbacks.error(failure);
        }
        CompletableFuture<Void> unusedToo = fate.whenComplete((done, failure) -> {
            if (failure != null && isWanted(answer.to, failure)) {
                untold(answer, known(failure));
            }
        });
    }

    /** Returns whether a message to the asker that was dropped for this reason is missed: the asker is still there. */
    private boolean isWanted(Asker to, Throwable why) {
        ErrorCode code = known(why).code();
        return !isGone(to) && !code.equals(ErrorCode.CLOSED) && !code.equals(ErrorCode.USER_CHANGED);
    }

    private void untold(Answer answer, RealtimeException why) {
        if (why.code().equals(ErrorCode.OVERLOADED)) {
            dropped.incrementAndGet();
            try {
                post(() -> keep(answer));
            } catch (Throwable failure) { // a scheduler's
                dropped.decrementAndGet();
                callbacks.error(failure);
            }
            return;
        }
        callbacks.error(why);
        if (answer.type.equals(Protocol.REPLY) || answer.type.equals(Protocol.END)) {
            fail(answer.to, why); // else the asker would wait for its timeout
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
        Throwable failure = Steps.unwrap(thrown);
        ErrorData error;
        if (failure instanceof RealtimeException known && ErrorData.isForPeer(failure)) {
            error = ErrorData.of(known);
        } else {
            callbacks.error(failure);
            error = ErrorData.of(ErrorCode.INTERNAL, "the handler failed", false);
        }
        tell(asker, Protocol.ERROR, -1, Json.payload(ErrorData.class).write(error));
    }

    /** The server takes more items. */
    void credit(Envelope frame) {
        Protocol.Credit credit = frame.data(Protocol.Credit.class);
        if (credit.streams() != null) {
            sources.grant(credit.streams());
        }
    }

    /** The server does not want a stream any more. */
    void cancelled(Envelope frame) {
        String ref = frame.ref();
        if (ref != null) {
            sources.cancel(ref);
            callbacks.execute(() -> sources.cancel(ref)); // its question may wait for its handler
        }
    }

    /** Messages have left the outbox. */
    void roomAgain() {
        if (!late.isEmpty() && sender.hasRoom()) {
            late.take().forEach(this::tell);
        }
        sources.roomAgain();
    }

    /** The way of a stream's items to the server: by the outbox, which they may fill to one half. */
    private final class ServerReceiver implements StreamSource.Receiver {
        private final Asker asker;
        private final AtomicBoolean isBroken = new AtomicBoolean(); // the reader gets no more than an error

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

        /** An item was dropped from the outbox: the reader can do nothing with those that follow. */
        private void lost(RealtimeException why) {
            if (isBroken.compareAndSet(false, true)) {
                callbacks.error(why);
                sources.abort(asker.ref, ErrorData.of(why));
            }
        }

        @Override
        public void over(long count, @Nullable ErrorData error) {
            sources.remove(asker.ref);
            if (error == null) { // a reader that misses an item knows by the count
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
