package io.realtime.client.internal.call;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.client.RequestHandler;
import io.realtime.client.StreamHandler;
import io.realtime.client.internal.call.CallMessage.Call;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.outbox.OutboxEntry;
import io.realtime.client.internal.outbox.Sender;
import io.realtime.internal.Steps;
import io.realtime.internal.calls.Sources;
import io.realtime.internal.calls.StreamSource;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.ErrorData;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Protocol;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The requests and streams that the server asks the client for. Handlers run on the callback executor, and producers on
 * threads of their own. Answers go through the outbox. Safe for use by many threads.
 */
public final class IncomingCalls {
    /** How many streams may be produced here at once. */
    private static final int MOST_SOURCES = 100;

    private final Sender sender;
    private final CallMessages messages;
    private final CallbackDispatcher callbacks;
    private final Runnable onAnswered;
    private final Sources sources = new Sources(MOST_SOURCES);
    private final Map<String, Handler> handlers = new ConcurrentHashMap<>();
    private final ThreadPoolExecutor producers;
    // Requests whose handlers have begun and not answered.
    private final AtomicInteger owed = new AtomicInteger();
    // The thread that runs a request's handler; written on the callback executor only.
    private volatile @Nullable Thread handling;

    /** A handler of the server's requests of one name, on the callback executor. */
    private interface Handler {
        void handle(Call call, Envelope request) throws Exception;
    }

    /** @param onAnswered called on any thread when a handler has answered a request */
    IncomingCalls(Sender sender, CallMessages messages, CallbackDispatcher callbacks, Runnable onAnswered) {
        this.sender = sender;
        this.messages = messages;
        this.callbacks = callbacks;
        this.onAnswered = onAnswered;
        this.producers =
                new ThreadPoolExecutor(0, MOST_SOURCES, 10, TimeUnit.SECONDS, new SynchronousQueue<>(), task -> {
                    Thread thread = new Thread(task, "realtime-client-stream");
                    thread.setDaemon(true);
                    return thread;
                });
    }

    // Handlers

    /**
     * Registers a handler of requests, until the subscription is closed.
     *
     * @throws IllegalArgumentException when the name has a handler already
     */
    public <Q, R> Subscription onRequest(Request<Q, R> request, RequestHandler.Async<Q, R> handler) {
        Payload requests = callbacks.payloads().of(request.type());
        Payload replies = callbacks.payloads().of(request.replyType());
        return register(request.name(), (call, envelope) -> {
            Q data = envelope.received(requests);
            owed.incrementAndGet();
            CompletionStage<R> later;
            handling = Thread.currentThread();
            try {
                later = Objects.requireNonNull(handler.handle(data), "the handler's stage");
            } catch (Throwable failure) {
                // The application's code may throw anything.
                answer(call, request, replies, null, failure);
                return;
            } finally {
                handling = null;
            }
            Steps.whenComplete(later, (reply, failure) -> answer(call, request, replies, reply, failure));
        });
    }

    private <R> void answer(
            Call call, Request<?, R> request, Payload replies, @Nullable R reply, @Nullable Throwable failure) {
        try {
            write(call, request, replies, reply, failure);
        } finally {
            // Only now: the answer is in the outbox, or waits for it.
            owed.decrementAndGet();
            onAnswered.run();
        }
    }

    private <R> void write(
            Call call, Request<?, R> request, Payload replies, @Nullable R reply, @Nullable Throwable failure) {
        if (failure != null) {
            messages.fail(call, failure);
            return;
        }
        String json;
        try {
            json = replies.write(reply);
        } catch (Throwable unfit) {
            // A fault of this side. A reply that is loaded lazily may fail with an Error.
            String why = "the reply of '" + request.name() + "' cannot be written";
            messages.fail(call, new IllegalStateException(why, unfit));
            return;
        }
        messages.answer(call, Protocol.REPLY, json);
    }

    /**
     * Registers a producer of streams with a thread for each, until the subscription is closed.
     *
     * @throws IllegalArgumentException when the name has a handler already
     */
    public <Q, T> Subscription onStream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
        Payload requests = callbacks.payloads().of(request.type());
        Payload items = callbacks.payloads().of(request.itemType());
        return register(request.name(), (call, envelope) -> {
            Q data = envelope.received(requests);
            StreamSource<T> source = begin(call, items);
            try {
                producers.execute(() -> source.run(out -> handler.handle(data, out)));
            } catch (RejectedExecutionException busy) {
                source.fail(new RealtimeException(ErrorCode.OVERLOADED, "too many streams", true, busy));
            }
        });
    }

    /** Like {@link #onStream}, without a thread for each stream. */
    public <Q, T> Subscription onStreamAsync(StreamRequest<Q, T> request, StreamHandler.Async<Q, T> handler) {
        Payload requests = callbacks.payloads().of(request.type());
        Payload items = callbacks.payloads().of(request.itemType());
        return register(request.name(), (call, envelope) -> {
            Q data = envelope.received(requests);
            StreamSource<T> source = begin(call, items);
            try {
                handler.handle(data, source);
            } catch (Throwable failure) {
                // The application's code: an Error ends this stream only.
                source.fail(failure);
            }
        });
    }

    private <T> StreamSource<T> begin(Call call, Payload items) {
        StreamSource<T> source = new StreamSource<>(items, new ServerReceiver(call), callbacks.executor());
        if (!sources.add(call.ref(), source)) {
            throw new RealtimeException(ErrorCode.OVERLOADED, "too many streams", true, null);
        }
        if (messages.isGone(call)) {
            // The user changed meanwhile, and nothing else cancels it.
            source.cancel();
        }
        return source;
    }

    private Subscription register(String name, Handler handler) {
        if (handlers.putIfAbsent(name, handler) != null) {
            throw new IllegalArgumentException("'" + name + "' has a handler already");
        }
        return () -> handlers.remove(name, handler);
    }

    // Requests of the server

    /** Handles a request of the server; on the scheduler's thread. */
    public void request(Envelope request) {
        String ref = request.ref();
        if (ref != null) {
            Call call = messages.call(ref);
            callbacks.execute(() -> handle(call, request));
        }
    }

    /** Runs the handler of a request; on the callback executor. */
    private void handle(Call call, Envelope request) {
        if (messages.isGone(call)) {
            return;
        }
        Handler handler = handlers.get(request.type());
        if (handler == null) {
            messages.fail(
                    call, new RealtimeException(ErrorCode.NO_HANDLER, "nothing handles '" + request.type() + "'"));
            return;
        }
        try {
            handler.handle(call, request);
        } catch (Throwable failure) {
            // The application's code may throw anything.
            messages.fail(call, failure);
        }
    }

    /** Handles credit: the server accepts more items. */
    public void credit(Envelope frame) {
        Protocol.Credit credit = frame.data(Protocol.Credit.class);
        if (credit.streams() != null) {
            sources.granted(credit.streams());
        }
    }

    /** Handles {@code $cancel}: the server does not want a stream any more. */
    public void cancelled(Envelope frame) {
        String ref = frame.ref();
        if (ref != null) {
            sources.cancel(ref);
            // The request may still wait for its handler.
            callbacks.execute(() -> sources.cancel(ref));
        }
    }

    /**
     * Returns true if all requests whose handlers have begun, except this many, are answered and the answers are in the
     * outbox.
     */
    boolean owesNoMoreThan(int answers) {
        return owed.get() <= answers && !messages.hasLate();
    }

    /** Returns true if the calling thread runs a request's handler, whose answer cannot come before it returns. */
    boolean isHandlingHere() {
        return handling == Thread.currentThread();
    }

    /** Lets the producers continue that wait for room in the outbox. */
    void roomAgain() {
        sources.roomAgain();
    }

    /** Cancels the streams that are produced here. */
    void cancelStreams() {
        sources.cancelAll();
    }

    /** Cancels the streams that are produced here, and again after the requests that wait for their handlers. */
    void cancelAllStreams() {
        sources.cancelAll();
        callbacks.execute(sources::cancelAll);
    }

    /** Lets the threads of the producers end. */
    void close() {
        producers.shutdown();
    }

    /** Sends a stream's items to the server through the outbox, of which they may fill one half. */
    private final class ServerReceiver implements StreamSource.Receiver {
        private final Call call;
        // Whether the reader gets nothing more except an error.
        private final AtomicBoolean isBroken = new AtomicBoolean();

        ServerReceiver(Call call) {
            this.call = call;
        }

        @Override
        public boolean hasRoom() {
            return sender.hasRoom();
        }

        @Override
        public void item(long index, String json) {
            CompletableFuture<Void> fate = new CompletableFuture<>();
            OutboxEntry entry = messages.send(new CallMessage(call, Protocol.NEXT, index, json), fate);
            if (entry.seq() == 0) {
                throw sender.whyRefused(entry);
            }
            CompletableFuture<Void> unused = fate.whenComplete((done, failure) -> {
                if (failure != null && messages.isWanted(call, failure)) {
                    lost(CallMessages.known(failure));
                }
            });
        }

        /**
         * Handles the loss of an item, which was dropped from the outbox: the reader cannot use the items that follow.
         */
        private void lost(RealtimeException why) {
            if (isBroken.compareAndSet(false, true)) {
                callbacks.error(why);
                sources.abort(call.ref(), ErrorData.of(why));
            }
        }

        @Override
        public void over(long count, @Nullable ErrorData error) {
            sources.remove(call.ref());
            if (error == null) {
                // A reader that misses an item detects it by the count.
                messages.answer(new CallMessage(call, Protocol.END, count, "null"));
            } else {
                isBroken.set(true);
                messages.fail(call, error);
            }
        }

        @Override
        public void report(Throwable failure) {
            callbacks.error(failure);
        }
    }
}
