package io.realtime.client;

import io.realtime.Backoff;
import io.realtime.Event;
import io.realtime.Heartbeat;
import io.realtime.Message;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.Subscription;
import io.realtime.client.ConnectionState.Status;
import io.realtime.client.javawebsocket.JavaWebSocketClientTransport;
import io.realtime.gson.GsonCodec;
import io.realtime.internal.Durations;
import io.realtime.internal.SystemScheduler;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Payloads;
import io.realtime.internal.wire.Protocol;
import io.realtime.internal.wire.StrictJson;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.PayloadCodec;
import io.realtime.spi.Scheduler;
import java.net.URI;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Collections;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * A client of one server: connects, stays connected, sends and receives. What is sent while offline is kept; what was
 * missed is fetched; what can be neither is reported.
 *
 * <p>Safe for use by many threads; every method but {@link #close} returns immediately. Handlers, the listener and the
 * completion of every future run on the callback executor, in order, one at a time. So a callback cannot wait for a future:
 * {@code get} and {@code join} of one that is not complete throw an {@link IllegalStateException} there.
 */
public final class RealtimeClient implements AutoCloseable {
    private static final Duration GRACE = Duration.ofSeconds(5);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);

    private final ClientEngine engine;
    private final CallbackDispatcher callbacks;
    private final Runnable release;
    private final Runnable awaitReleased;
    private final String description;

    private RealtimeClient(
            ClientEngine engine,
            CallbackDispatcher callbacks,
            Runnable release,
            Runnable awaitReleased,
            String description) {
        this.engine = engine;
        this.callbacks = callbacks;
        this.release = release;
        this.awaitReleased = awaitReleased;
        this.description = description;
    }

    /**
     * A builder of a client.
     *
     * @param server {@code ws://host[:port]/path} or {@code wss://…}
     * @throws IllegalArgumentException when it is no such address; the message names it
     */
    public static Builder builder(URI server) {
        return new Builder(server);
    }

    /**
     * Connects, and from then on reconnects whenever the connection is lost. Does nothing when it does so already.
     *
     * <p>An attempt that fails is followed by another. {@link #state} says why the last one failed; the first failure of a
     * series is logged as a warning, and then one every 10 minutes. What looks {@linkplain
     * io.realtime.ConnectionException#isPermanent permanent}, such as HTTP 404, {@link ClientListener#onError} hears at once, too.
     * When the answer bears {@code Retry-After}, the next attempt comes no earlier, up to an hour.
     *
     * @return completes when the server has welcomed the client, however many attempts that takes; fails with a {@link
     *     io.realtime.ConnectionException} when the client closes before: there is no token, the server will never
     *     accept it, the attempts are used up, or {@link #disconnect} was called; and with {@code overloaded} when 1,000
     *     callers wait already
     */
    public CompletableFuture<Void> connect() {
        return engine.connect();
    }

    /**
     * Like {@link #connect()}, but the future waits no longer than this; then it fails with a {@link
     * io.realtime.ConnectionException} of code {@code timeout}, which tells why the last attempt has failed. Attempts go on:
     * {@link #disconnect} ends them.
     *
     * @throws IllegalArgumentException when the timeout is not positive
     */
    public CompletableFuture<Void> connect(Duration timeout) {
        return engine.connect(Durations.positive("timeout", timeout));
    }

    /** Like {@link #disconnect(Duration)}, within 5 s. */
    public void disconnect() {
        disconnect(GRACE);
    }

    /**
     * Ends the connection when what the application has asked for is delivered, and stays {@link Status#CLOSED} until the
     * next {@link #connect}, which waits for that. What the application sends or asks after this call, outside of its
     * callbacks, is for the next connection, and ends this one at once. Delivered means: callbacks that wait have run,
     * listeners of streams included; the server has the answers to its requests, and has acknowledged the messages that were
     * sent. Messages that it has not acknowledged, and the rooms that are joined, are kept for the next connection.
     *
     * <p>Where there is no connection and something to deliver, this waits for a connection that is being made, and without a
     * {@link FileOutbox} for the next attempt when that is due in time. Called again, the shorter time counts.
     *
     * @param grace how long that may take; zero or less to end it at once
     */
    public void disconnect(Duration grace) {
        engine.disconnect(Durations.clamp(grace));
    }

    /** Like {@link #close(Duration)}, within 5 s. */
    @Override
    public void close() {
        close(GRACE);
    }

    /**
     * Disconnects for good, when what the application has asked for is delivered as {@link #disconnect(Duration)} says; waits
     * for that on the calling thread, which is therefore no user interface's. A callback that calls this waits for no other. The
     * handler of a request that calls this cannot deliver its own answer: it calls {@link #disconnect}, which can. A callback
     * on the client's own timer thread, by an executor that runs tasks on the caller, delivers nothing: only that thread
     * could. An interrupted thread does not wait for delivery, but for the rest, and stays interrupted.
     *
     * <p>What was not delivered then fails with code {@code closed}, and {@link ClientListener#onDropped} names each message;
     * messages in a {@link FileOutbox} stay there for the next client instead, those included that were yet to be stored.
     * Does nothing the second time.
     *
     * <p>When it returns, the file is written and closed, and may be opened again; the client's own timer thread has ended,
     * unless this is called on it, by a callback of an executor that runs tasks on the caller. It waits for the disk, and
     * not for callbacks: those that were handed over before still run, in order, and then the client's own callback thread
     * ends. The closing handshake with the server goes on by itself.
     *
     * @param grace how long delivery may take; zero or less to close at once
     */
    public void close(Duration grace) {
        engine.close(Durations.clamp(grace), release);
        awaitReleased.run();
    }

    /**
     * While waiting for the next attempt, makes it now; while waiting for a token, asks for it again; otherwise does
     * nothing. What is called more than once within a second is done once more when that is over.
     */
    public void reconnectNow() {
        engine.reconnectNow();
    }

    /**
     * Says that the device's network has changed: an attempt is made now if one is waited for, dialed anew, once, if one
     * is under way, and a connection has 5 s to give a sign of life. Changes come in bursts: what is said more than once
     * within a second is acted on once more when that is over. A token that was asked for is not asked for again.
     */
    public void networkChanged() {
        engine.networkChanged();
    }

    /** Returns where the client stands; {@link ClientListener#onState} tells of changes. */
    public ConnectionState state() {
        return engine.state();
    }

    /** Returns whether the server has welcomed this client and the connection is not known to be lost. */
    public boolean isConnected() {
        return engine.state().status() == Status.OPEN;
    }

    /**
     * Sends a message. A reliable one is kept until the server has processed it, through disconnections, within the
     * limits of {@link Builder#outbox}; an {@linkplain Event#ephemeral ephemeral} one leaves now or never.
     *
     * @return completes when the server acknowledged the message (an ephemeral one: when it was handed to the
     *     connection). Fails with a {@link io.realtime.RemoteException} when the server answered with an error, with a
     *     {@link io.realtime.PayloadException} when the payload cannot be written as JSON, and with another {@link
     *     io.realtime.RealtimeException} when the message was dropped, whose code says why. Cancelling it withdraws the
     *     message: it is not sent, or not again. One that has left already may be handled all the same
     */
    public <T> CompletableFuture<Void> send(Event<T> event, T data) {
        return engine.send(event, data, null);
    }

    /** Like {@link #request(Request, Object, Duration)}, within 10 s. */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data) {
        return request(request, data, REQUEST_TIMEOUT);
    }

    /**
     * Asks the server. The question waits in the outbox like a message, and is asked once, through lost connections; so is
     * the answer. A request that times out or is cancelled is not sent from then on, or not again; one that has left
     * already may be handled all the same.
     *
     * @param timeout how long to wait for the answer, the time without a connection included
     * @return completes with the answer. Fails with a {@link io.realtime.RemoteException} when the server answered with an
     *     error, with a {@link io.realtime.PayloadException} when the question or the answer does not fit the contract,
     *     and with another {@link io.realtime.RealtimeException}: {@code timeout}, {@code connection_lost} when the
     *     session was lost before the answer came, {@code closed}, {@code overloaded} when the outbox is full or 1,000
     *     questions are open
     */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        return engine.calls().request(request, data, Durations.positive("timeout", timeout));
    }

    /**
     * Asks the server for a stream, whose items go to the listener on the callback executor. It outlives a lost connection
     * without a gap or a repeat as long as the session does, and ends with {@code connection_lost} otherwise.
     *
     * @return cancels the stream when closed: the listener hears nothing more, and the producer stops at once
     * @throws io.realtime.RealtimeException with code {@code overloaded} when too much waits for the callbacks
     */
    public <Q, T> Subscription stream(StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener) {
        return engine.calls().stream(request, data, Objects.requireNonNull(listener, "listener"), callbacks.executor());
    }

    /**
     * Like {@link #stream(StreamRequest, Object, StreamListener)}, with the listener on an executor of its own, in order and
     * one call at a time: it may wait there, for a disk, say, and slows this stream's producer and nothing else. {@link
     * #disconnect} and {@link #close} treat it as a callback. The callback executor itself is no other executor: with it this is
     * the same as without.
     *
     * @throws io.realtime.RealtimeException as there
     */
    public <Q, T> Subscription stream(
            StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener, Executor executor) {
        Executor inOrder = callbacks.forListener(Objects.requireNonNull(executor, "executor"));
        return engine.calls().stream(request, data, Objects.requireNonNull(listener, "listener"), inOrder);
    }

    /**
     * Answers the server's requests of this name, until the subscription is closed.
     *
     * @throws IllegalArgumentException when the name has a handler already
     */
    public <Q, R> Subscription onRequest(Request<Q, R> request, RequestHandler<Q, R> handler) {
        return onRequestAsync(request, question -> CompletableFuture.completedFuture(handler.handle(question)));
    }

    /** Like {@link #onRequest}, with an answer that comes later. */
    public <Q, R> Subscription onRequestAsync(Request<Q, R> request, RequestHandler.Async<Q, R> handler) {
        return engine.calls().onRequest(request, handler);
    }

    /**
     * Answers the server's requests for streams of this name, until the subscription is closed; what has begun goes on.
     *
     * @throws IllegalArgumentException when the name has a handler already
     */
    public <Q, T> Subscription onStream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
        return engine.calls().onStream(request, handler);
    }

    /** Like {@link #onStream}, without a thread for each stream. */
    public <Q, T> Subscription onStreamAsync(StreamRequest<Q, T> request, StreamHandler.Async<Q, T> handler) {
        return engine.calls().onStreamAsync(request, handler);
    }

    /**
     * Returns a room; joins nothing yet.
     *
     * @throws IllegalArgumentException when the name is empty, longer than 256 bytes or begins with {@code @}
     */
    public ClientRoom room(String name) {
        return new ClientRoom(engine, callbacks, Names.requireRoom(name));
    }

    /**
     * Calls the handler for every message of the event, whatever its room, until the subscription is closed. A handler
     * that throws harms no other; {@link ClientListener#onError} is told.
     *
     * @throws IllegalArgumentException when the event's name is already taken by an event of another type
     */
    public <T> Subscription on(Event<T> event, Consumer<? super Message<T>> handler) {
        return callbacks.on(null, event, handler);
    }

    /** Like {@link #on}, for the next message only. */
    public <T> Subscription once(Event<T> event, Consumer<? super Message<T>> handler) {
        return callbacks.once(null, event, handler);
    }

    @Override
    public String toString() {
        return "RealtimeClient{" + description + ", " + state() + "}";
    }

    /** Builds a {@link RealtimeClient}; not safe for use by many threads. */
    public static final class Builder {
        private static final Duration LONGEST_TIMEOUT = Duration.ofHours(24);
        static final int LEAST_OUTBOUND_BYTES = 2 * Protocol.MOST_HELLO_BYTES;
        static final int MOST_OUTBOUND_BYTES = 64 << 20;

        private final URI server;
        private @Nullable SSLSocketFactory tls;
        private final Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        private @Nullable TokenProvider tokens;
        private Backoff backoff = Backoff.defaults();
        private Heartbeat heartbeat = Heartbeat.defaults();
        private OutboxLimits outbox = OutboxLimits.defaults();
        private @Nullable FileOutbox outboxFile;
        private Duration tokenTimeout = Duration.ofMinutes(1);
        private Duration connectTimeout = Duration.ofSeconds(10);
        private int messageBytes = 2 << 20;
        private int inboundBytes = 8 << 20;
        private int outboundBytes = 4 << 20;
        private @Nullable Executor callbackExecutor;
        private Executor substitute = SerialExecutor::startThread;
        private @Nullable ClientTransport transport;
        private @Nullable Scheduler scheduler;
        private @Nullable Random random;
        private @Nullable PayloadCodec codec;
        private ClientListener listener = new ClientListener() {};

        private Builder(URI server) {
            String scheme = String.valueOf(server.getScheme()).toLowerCase(Locale.ROOT);
            require(String.valueOf(server.getRawAuthority()).indexOf('@') < 0, "the address holds a user; use token");
            String shown = scheme + "://" + server.getRawAuthority() + server.getRawPath(); // a query may hold a token
            require(scheme.equals("ws") || scheme.equals("wss"), "'" + shown + "' does not begin with ws:// or wss://");
            require(server.getRawFragment() == null, "'" + shown + "' has a fragment");
            try {
                new ClientTransport.Target(server, Collections.emptyMap(), "", 0, 0);
            } catch (IllegalArgumentException unfit) {
                throw new IllegalArgumentException("'" + shown + "': " + unfit.getMessage(), unfit);
            }
            this.server = URI.create(scheme + server.toString().substring(scheme.length())); // the scheme in lower case
        }

        /** Who gives the token, asked before every attempt; default: no token. */
        public Builder token(TokenProvider provider) {
            this.tokens = Objects.requireNonNull(provider, "provider");
            return this;
        }

        /**
         * The one token there is.
         *
         * @throws IllegalArgumentException when it holds a line break or another control character
         */
        public Builder token(String fixed) {
            require(isPrintable(fixed), "the token holds a control character");
            return token(() -> CompletableFuture.completedFuture(fixed));
        }

        /**
         * A header of the upgrade, for what stands between client and server.
         *
         * @throws IllegalArgumentException when the name is none, is the upgrade's own, or name or value hold a line
         *     break or another control character
         */
        public Builder header(String name, String value) {
            String lower = name.toLowerCase(Locale.ROOT);
            require(name.matches("[A-Za-z0-9!#$%&'*+.^_`|~-]+"), "'" + name + "' is no name of a header");
            boolean isUpgrades = lower.startsWith("sec-websocket-")
                    || lower.equals("host")
                    || lower.equals("connection")
                    || lower.equals("upgrade");
            require(!isUpgrades, "header '" + name + "' belongs to the upgrade");
            require(isPrintable(value), "the value of header '" + name + "' holds a control character");
            headers.put(name, value);
            return this;
        }

        /** How long to wait between attempts, and how many to make; default {@link Backoff#defaults}. */
        public Builder backoff(Backoff rule) {
            this.backoff = Objects.requireNonNull(rule, "rule");
            return this;
        }

        /** The heartbeat where the server names none; default {@link Heartbeat#defaults}. */
        public Builder heartbeat(Heartbeat rule) {
            this.heartbeat = Objects.requireNonNull(rule, "rule");
            return this;
        }

        /** How much may wait until it is acknowledged; default {@link OutboxLimits#defaults}. */
        public Builder outbox(OutboxLimits limits) {
            this.outbox = Objects.requireNonNull(limits, "limits");
            return this;
        }

        /**
         * Where messages that were not acknowledged outlive this process; default: nowhere. What the file holds of an
         * earlier one is sent before anything new; join the rooms it is for before {@link RealtimeClient#connect}. What is
         * beyond the limits of {@link #outbox(OutboxLimits)} reaches {@link ClientListener#onDropped}. The client closes
         * the file when it is closed itself.
         */
        public Builder outboxFile(FileOutbox file) {
            this.outboxFile = Objects.requireNonNull(file, "file");
            return this;
        }

        /**
         * Sets how long the token provider may take; default 1 minute. Beyond it {@link ClientListener#onError} hears of it
         * with code {@code timeout}, and the provider is asked again after the backoff.
         *
         * @throws IllegalArgumentException when it is not positive, or above 24 h
         */
        public Builder tokenTimeout(Duration timeout) {
            this.tokenTimeout = requireTimeout("tokenTimeout", timeout);
            return this;
        }

        /**
         * Sets how long one attempt may take from the token to the server's welcome; default 10 s.
         *
         * @throws IllegalArgumentException when it is not positive, or above 24 h
         */
        public Builder connectTimeout(Duration timeout) {
            this.connectTimeout = requireTimeout("connectTimeout", timeout);
            return this;
        }

        /**
         * Sets the longest message to take from the server, in bytes; default 2 MiB. The server is told: in the place of a
         * longer one comes a {@link Gap} with the reason {@code too_big}, and a reply that is longer fails its request. A
         * server that sends one nevertheless three times in a row is left: the client closes.
         *
         * @throws IllegalArgumentException when it is below 1 KiB
         */
        public Builder messageBytes(int longest) {
            require(longest >= 1024, "messageBytes " + longest + " is below 1024");
            this.messageBytes = longest;
            return this;
        }

        /**
         * Sets how many bytes may wait between the socket and the application's callbacks; default 8 MiB. Messages, answers,
         * errors and items of streams count until the callback that hears of them has returned, and each 256 bytes more
         * than it has. Each character of a text counts as one byte; where some are beyond Latin-1 it takes up to twice as much
         * of the heap. When more arrives the connection is closed with 4102, and resumed after the backoff.
         *
         * @throws IllegalArgumentException when it is below 2 KiB
         */
        public Builder inboundBytes(int most) {
            require(most >= 2048, "inboundBytes " + most + " is below 2048");
            this.inboundBytes = most;
            return this;
        }

        /**
         * Sets how many bytes may wait in a connection for the network; default 4 MiB. Half of it is the longest message that
         * this client sends; a longer one fails with {@code too_big}, as does one beyond the server's own limit. A token that
         * does not fit in it fails each attempt to connect, and {@link ClientListener#onError} hears why.
         *
         * @throws IllegalArgumentException when it is below 32 KiB or above 64 MiB
         */
        public Builder outboundBytes(int most) {
            require(most >= LEAST_OUTBOUND_BYTES, "outboundBytes " + most + " is below " + LEAST_OUTBOUND_BYTES);
            require(most <= MOST_OUTBOUND_BYTES, "outboundBytes " + most + " is above " + MOST_OUTBOUND_BYTES);
            this.outboundBytes = most;
            return this;
        }

        /**
         * Who runs the callbacks: a user interface's thread, say. They run in order and one at a time on whichever
         * executor. It is never shut down here. While it does not run them, 10,000 outcomes of what the application asks may
         * wait, and 8 MiB of failures and dropped messages; what is asked then fails at once with {@code overloaded}. An
         * executor that runs tasks on the caller holds up the client's timer thread with each callback, and {@link
         * RealtimeClient#close} in such a callback delivers nothing.
         * Default: one daemon thread of the client's own.
         */
        public Builder callbackExecutor(Executor executor) {
            this.callbackExecutor = Objects.requireNonNull(executor, "executor");
            return this;
        }

        /** Sets who runs what an executor of the application's refuses; default a new thread. For simulations. */
        Builder substitute(Executor other) {
            this.substitute = other;
            return this;
        }

        /**
         * Where {@code wss} connections come from: trusted certificates, a client certificate. Default: the platform's.
         * The server's name is verified whatever the factory.
         */
        public Builder tls(SSLSocketFactory factory) {
            this.tls = Objects.requireNonNull(factory, "factory");
            return this;
        }

        /** What opens connections; default: Java-WebSocket. */
        public Builder transport(ClientTransport other) {
            this.transport = Objects.requireNonNull(other, "other");
            return this;
        }

        /** Who keeps time, on one thread; never shut down here. Default: one daemon thread of the client's own. */
        public Builder scheduler(Scheduler other) {
            this.scheduler = Objects.requireNonNull(other, "other");
            return this;
        }

        /** Where ids and jitter come from; default a {@link SecureRandom}. Used by the scheduler's thread. */
        public Builder random(Random source) {
            this.random = Objects.requireNonNull(source, "source");
            return this;
        }

        /** Sets what maps payloads between Java and JSON; default {@link GsonCodec#create}. */
        public Builder codec(PayloadCodec mapping) {
            this.codec = Objects.requireNonNull(mapping, "codec");
            return this;
        }

        /** Who is told of what happens beside messages; default: nobody. */
        public Builder listener(ClientListener other) {
            this.listener = Objects.requireNonNull(other, "other");
            return this;
        }

        /**
         * Returns a client that does nothing until {@link RealtimeClient#connect}.
         *
         * @throws IllegalStateException when both {@link #tls} and {@link #transport} were set, {@link #inboundBytes} has no
         *     room for a message of {@link #messageBytes}, the file of {@link #outboxFile} has served a client before, or a
         *     library that the client needs is missing or too old
         */
        public RealtimeClient build() {
            if (tls != null && transport != null) {
                throw new IllegalStateException("tls " + tls + " is not for transport " + transport);
            }
            if (messageBytes > inboundBytes - CallbackDispatcher.OVERHEAD) {
                throw new IllegalStateException("messageBytes " + messageBytes + " exceeds inboundBytes " + inboundBytes
                        + " less " + CallbackDispatcher.OVERHEAD);
            }
            StrictJson.requireGson();
            ClientTransport carrier = transport == null ? new JavaWebSocketClientTransport(tls) : transport;
            SystemScheduler ownScheduler = scheduler == null ? new SystemScheduler("realtime-client") : null;
            ThreadPoolExecutor ownExecutor = callbackExecutor == null ? callbackThread(substitute) : null;
            Scheduler time = ownScheduler != null ? ownScheduler : Objects.requireNonNull(scheduler);
            CallbackDispatcher callbacks = new CallbackDispatcher(
                    ownExecutor != null ? ownExecutor : Objects.requireNonNull(callbackExecutor),
                    substitute,
                    inboundBytes,
                    listener,
                    time,
                    new Payloads(codec == null ? GsonCodec.create() : codec));
            ClientTransport.Target target = new ClientTransport.Target(
                    server,
                    Collections.unmodifiableMap(new TreeMap<>(headers)),
                    Protocol.SUBPROTOCOL,
                    messageBytes,
                    outboundBytes);
            ClientConfig config = new ClientConfig(
                    target,
                    tokens instanceof BlockingTokens blocking ? blocking.ofItsOwn() : tokens,
                    backoff,
                    heartbeat,
                    outbox,
                    outboxFile,
                    tokenTimeout,
                    connectTimeout,
                    carrier,
                    time,
                    random == null ? new SecureRandom() : random);
            Runnable release = () -> {
                if (ownScheduler != null) {
                    ownScheduler.close();
                }
                if (ownExecutor != null) {
                    callbacks.execute(ownExecutor::shutdown); // behind all that waits
                }
            };
            Runnable awaitReleased = ownScheduler == null ? () -> {} : ownScheduler::awaitEnd;
            return new RealtimeClient(
                    new ClientEngine(config, callbacks), callbacks, release, awaitReleased, target.toString());
        }

        /** @param afterwards runs what comes once the thread has ended with its client */
        static ThreadPoolExecutor callbackThread(Executor afterwards) {
            ThreadFactory threads = task -> {
                Thread thread = new Thread(task, "realtime-client-callbacks");
                thread.setDaemon(true);
                return thread;
            };
            return new ThreadPoolExecutor(
                    0,
                    1,
                    10,
                    TimeUnit.SECONDS,
                    new LinkedBlockingQueue<>(),
                    threads,
                    (task, ended) -> afterwards.execute(task));
        }

        private static Duration requireTimeout(String name, Duration timeout) {
            require(!timeout.isNegative() && !timeout.isZero(), name + " " + timeout + " is not positive");
            require(timeout.compareTo(LONGEST_TIMEOUT) <= 0, name + " " + timeout + " is above " + LONGEST_TIMEOUT);
            return timeout;
        }

        private static boolean isPrintable(String text) {
            return text.chars().noneMatch(Character::isISOControl);
        }

        private static void require(boolean holds, String otherwise) {
            if (!holds) {
                throw new IllegalArgumentException(otherwise);
            }
        }
    }
}
