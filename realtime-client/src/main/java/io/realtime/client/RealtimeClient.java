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
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.SerialExecutor;
import io.realtime.client.internal.connection.BlockingTokens;
import io.realtime.client.internal.connection.ClientConfig;
import io.realtime.client.internal.connection.ClientEngine;
import io.realtime.client.internal.connection.ClientThreads;
import io.realtime.client.internal.connection.TargetRules;
import io.realtime.client.internal.transport.JavaWebSocketClientTransport;
import io.realtime.gson.GsonCodec;
import io.realtime.internal.Durations;
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
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Consumer;
import java.util.function.Supplier;
import javax.net.ssl.SSLSocketFactory;
import org.jspecify.annotations.Nullable;

/**
 * A client of one server. It connects, stays connected, sends and receives. Messages that are sent while offline are
 * kept. Messages that were missed are replayed. What can be neither kept nor replayed is reported.
 *
 * <p>Safe for use by many threads. Every method except {@link #close} returns immediately. Handlers, the listener and
 * the completion of every future run on the callback executor, in order, one at a time. So a callback cannot wait for a
 * future: there, {@code get} and {@code join} throw an {@link IllegalStateException} if the future is not complete.
 */
public final class RealtimeClient implements AutoCloseable {
    private static final Duration GRACE = Duration.ofSeconds(5);
    private static final Duration REQUEST_TIMEOUT = Duration.ofSeconds(10);

    private final ClientEngine engine;
    private final CallbackDispatcher callbacks;
    private final ClientThreads threads;
    private final String description;

    private RealtimeClient(
            ClientEngine engine, CallbackDispatcher callbacks, ClientThreads threads, String description) {
        this.engine = engine;
        this.callbacks = callbacks;
        this.threads = threads;
        this.description = description;
    }

    /**
     * Returns a builder of a client.
     *
     * @param server {@code ws://host[:port]/path} or {@code wss://…}
     * @throws IllegalArgumentException when it is not such an address; the message names it
     */
    public static Builder builder(URI server) {
        return new Builder(server);
    }

    /**
     * Connects, and from then on reconnects whenever the connection is lost. Does nothing when the client is connected
     * or connecting.
     *
     * <p>A failed attempt is followed by another one. {@link #state} says why the last one failed. The first failure of
     * a series is logged as a warning, and after that one every 10 minutes. A failure that looks {@linkplain
     * io.realtime.ConnectionException#isPermanent permanent}, such as HTTP 404, is also reported to {@link
     * ClientListener#onError} at once. When the answer has a {@code Retry-After} header, the next attempt waits at
     * least that long, up to an hour.
     *
     * @return completes when the server has welcomed the client, however many attempts that takes. Fails with a {@link
     *     io.realtime.ConnectionException} when the client closes before: there is no token, the server will never
     *     accept the client, the attempts are used up, or {@link #disconnect} was called. Fails with {@code overloaded}
     *     when 1,000 callers already wait
     */
    public CompletableFuture<Void> connect() {
        return engine.connect();
    }

    /**
     * Like {@link #connect()}, but the future waits at most this long. Then it fails with a {@link
     * io.realtime.ConnectionException} of code {@code timeout}, which says why the last attempt failed. Attempts
     * continue until {@link #disconnect}.
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
     * Ends the connection after everything that the application asked for is delivered. The client then stays {@link
     * Status#CLOSED} until the next {@link #connect}, which waits for the end of this connection. What the application
     * sends or asks after this call, outside its callbacks, belongs to the next connection, and ends this one at once.
     *
     * <p>Delivered means: waiting callbacks have run, including listeners of streams; the server has the answers to its
     * requests, and has acknowledged the messages that were sent. Messages that it has not acknowledged, and joined
     * rooms, are kept for the next connection.
     *
     * <p>Without a connection, but with something to deliver, this waits for a connection that is being made. Without a
     * {@link FileOutbox} it also waits for the next attempt if that is due in time. When this is called again, the
     * shorter time counts.
     *
     * @param grace how long that may take; zero or less ends the connection at once
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
     * Closes the client for good, after everything that the application asked for is delivered as {@link
     * #disconnect(Duration)} says. Blocks the calling thread for that, so do not call it on the thread of a user
     * interface. Does nothing the second time.
     *
     * <p>A callback that calls this does not wait for other callbacks. A request handler that calls this cannot deliver
     * its own answer; one that calls {@link #disconnect} can. If an executor runs tasks on the caller, a callback may
     * run on the client's own timer thread. Then this delivers nothing, since only that thread could deliver. An
     * interrupted thread does not wait for delivery. It waits for the rest, and stays interrupted.
     *
     * <p>Undelivered messages then fail with code {@code closed}, and {@link ClientListener#onDropped} names each of
     * them. Messages in a {@link FileOutbox}, including those that were not yet stored, stay there for the next client
     * instead.
     *
     * <p>When this returns, the file is written and closed, and may be opened again. The client's own timer thread has
     * ended, unless this is called on it, by a callback of an executor that runs tasks on the caller. This waits for
     * the disk, but not for callbacks: those that were handed over before still run, in order, and then the client's
     * own callback thread ends. The closing handshake with the server continues in the background.
     *
     * @param grace how long delivery may take; zero or less closes at once
     */
    public void close(Duration grace) {
        engine.close(Durations.clamp(grace), () -> threads.release(callbacks));
        threads.awaitEnd();
    }

    /**
     * Makes the next attempt now if the client waits for one. Asks for the token again if the client waits for a token.
     * Otherwise does nothing. Further calls within a second cause one more run when that second is over.
     */
    public void reconnectNow() {
        engine.reconnectNow();
    }

    /**
     * Tells the client that the device's network has changed. A client that waits for the next attempt makes it now. An
     * attempt in progress is dialed anew, once. An open connection must show a sign of life within 5 s. Changes come in
     * bursts: further calls within a second cause one more run when that second is over. A token that was asked for is
     * not asked for again.
     */
    public void networkChanged() {
        engine.networkChanged();
    }

    /** Returns the present state; {@link ClientListener#onState} reports changes. */
    public ConnectionState state() {
        return engine.state();
    }

    /** Returns true if the server has welcomed this client and the connection is not known to be lost. */
    public boolean isConnected() {
        return engine.state().status() == Status.OPEN;
    }

    /**
     * Sends a message. A reliable one is kept through lost connections until the server has processed it, within the
     * limits of {@link Builder#outbox}. An {@linkplain Event#ephemeral ephemeral} one is sent now or dropped.
     *
     * @return completes when the server has acknowledged the message; for an ephemeral one, when it was handed to the
     *     connection. Fails with a {@link io.realtime.RemoteException} when the server answered with an error, with a
     *     {@link io.realtime.PayloadException} when the payload cannot be written as JSON, and with another {@link
     *     io.realtime.RealtimeException}, whose code says why, when the message was dropped. Cancelling it withdraws
     *     the message: it is not sent, or not sent again. If it was sent before, it may still be handled
     */
    public <T> CompletableFuture<Void> send(Event<T> event, T data) {
        return engine.sender().send(event, data, null);
    }

    /** Like {@link #request(Request, Object, Duration)}, within 10 s. */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data) {
        return request(request, data, REQUEST_TIMEOUT);
    }

    /**
     * Sends a request to the server. The request waits in the outbox like a message, and is handled once, through lost
     * connections. The same holds for the answer. A request that times out or is cancelled is not sent, or not sent
     * again. If it was sent before, it may still be handled.
     *
     * @param timeout how long to wait for the answer; the time without a connection counts
     * @return completes with the answer. Fails with a {@link io.realtime.RemoteException} when the server answered with
     *     an error, with a {@link io.realtime.PayloadException} when the request or the answer does not fit the
     *     contract, and with another {@link io.realtime.RealtimeException} otherwise: {@code timeout}, {@code
     *     connection_lost} when the session was lost before the answer came, {@code closed}, {@code overloaded} when
     *     the outbox is full or 1,000 requests are open
     */
    public <Q, R> CompletableFuture<R> request(Request<Q, R> request, Q data, Duration timeout) {
        return engine.calls().outgoing().request(request, data, Durations.positive("timeout", timeout));
    }

    /**
     * Asks the server for a stream, whose items go to the listener on the callback executor. The stream survives a lost
     * connection without a gap or a repeat as long as the session lives. Otherwise it ends with {@code
     * connection_lost}.
     *
     * @return cancels the stream when closed: the listener is not called again, and the producer stops at once
     * @throws io.realtime.RealtimeException with code {@code overloaded} when too much waits for the callbacks
     */
    public <Q, T> Subscription stream(StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener) {
        return engine.calls().outgoing().stream(request, data, listener, callbacks.executor());
    }

    /**
     * Like {@link #stream(StreamRequest, Object, StreamListener)}, with the listener on its own executor, in order and
     * one call at a time. The listener may block there, for example on a disk, and slows only the producer of this
     * stream. {@link #disconnect} and {@link #close} treat the listener as a callback. If this is the callback executor
     * itself, the call is the same as the one without an executor.
     *
     * @throws io.realtime.RealtimeException as there
     */
    public <Q, T> Subscription stream(
            StreamRequest<Q, T> request, Q data, StreamListener<? super T> listener, Executor executor) {
        Executor inOrder = callbacks.forListener(Objects.requireNonNull(executor, "executor"));
        return engine.calls().outgoing().stream(request, data, listener, inOrder);
    }

    /**
     * Registers a handler that answers the server's requests of this name, until the subscription is closed.
     *
     * @throws IllegalArgumentException when the name has a handler already
     */
    public <Q, R> Subscription onRequest(Request<Q, R> request, RequestHandler<Q, R> handler) {
        return onRequestAsync(request, data -> CompletableFuture.completedFuture(handler.handle(data)));
    }

    /** Like {@link #onRequest}, with an answer that comes later. */
    public <Q, R> Subscription onRequestAsync(Request<Q, R> request, RequestHandler.Async<Q, R> handler) {
        return engine.calls().incoming().onRequest(request, handler);
    }

    /**
     * Registers a handler that produces the streams of this name for the server, until the subscription is closed.
     * Streams that have begun continue.
     *
     * @throws IllegalArgumentException when the name has a handler already
     */
    public <Q, T> Subscription onStream(StreamRequest<Q, T> request, StreamHandler<Q, T> handler) {
        return engine.calls().incoming().onStream(request, handler);
    }

    /** Like {@link #onStream}, without a thread for each stream. */
    public <Q, T> Subscription onStreamAsync(StreamRequest<Q, T> request, StreamHandler.Async<Q, T> handler) {
        return engine.calls().incoming().onStreamAsync(request, handler);
    }

    /**
     * Returns a room; does not join it.
     *
     * @throws IllegalArgumentException when the name is empty, longer than 256 bytes or begins with {@code @}
     */
    public ClientRoom room(String name) {
        return new ClientRoom(engine, callbacks, Names.requireRoom(name));
    }

    /**
     * Calls the handler for every message of the event, in any room or none, until the subscription is closed. A
     * handler that throws does not affect the others; {@link ClientListener#onError} reports it.
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

    /** A builder of a {@link RealtimeClient}; not safe for use by many threads. */
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
        private @Nullable Supplier<@Nullable String> traces;
        private ClientListener listener = new ClientListener() {};

        private Builder(URI server) {
            this.server = TargetRules.requireAddress(server);
        }

        /** Sets the provider of the token, which is asked before every attempt; default: no token. */
        public Builder token(TokenProvider provider) {
            this.tokens = Objects.requireNonNull(provider, "provider");
            return this;
        }

        /**
         * Sets a fixed token.
         *
         * @throws IllegalArgumentException when it holds a line break or another control character
         */
        public Builder token(String fixed) {
            TargetRules.requireToken(fixed);
            return token(() -> CompletableFuture.completedFuture(fixed));
        }

        /**
         * Adds a header to the upgrade request, for example for a proxy between client and server.
         *
         * @throws IllegalArgumentException when the name is not a valid one, is one of the upgrade's own, or name or
         *     value hold a line break or another control character
         */
        public Builder header(String name, String value) {
            TargetRules.requireHeader(name, value);
            headers.put(name, value);
            return this;
        }

        /** Sets how long to wait between attempts, and how many to make; default {@link Backoff#defaults}. */
        public Builder backoff(Backoff rule) {
            this.backoff = Objects.requireNonNull(rule, "rule");
            return this;
        }

        /** Sets the heartbeat that is used if the server names none; default {@link Heartbeat#defaults}. */
        public Builder heartbeat(Heartbeat rule) {
            this.heartbeat = Objects.requireNonNull(rule, "rule");
            return this;
        }

        /** Sets how much may wait until it is acknowledged; default {@link OutboxLimits#defaults}. */
        public Builder outbox(OutboxLimits limits) {
            this.outbox = Objects.requireNonNull(limits, "limits");
            return this;
        }

        /**
         * Sets the file in which unacknowledged messages survive this process; default: no file. Messages in the file
         * from an earlier process are sent before new ones; join their rooms before {@link RealtimeClient#connect}.
         * Messages beyond the limits of {@link #outbox(OutboxLimits)} reach {@link ClientListener#onDropped}. The
         * client closes the file when it is closed itself.
         */
        public Builder outboxFile(FileOutbox file) {
            this.outboxFile = Objects.requireNonNull(file, "file");
            return this;
        }

        /**
         * Sets how long the token provider may take; default 1 minute. When it takes longer, {@link
         * ClientListener#onError} gets the code {@code timeout}, and the provider is asked again after the backoff.
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
         * Sets the longest message to accept from the server, in bytes; default 2 MiB. The client tells the server: a
         * longer message is replaced by a {@link Gap} with the reason {@code too_big}, and a longer reply fails its
         * request. When a server sends longer ones nevertheless, three times in a row, the client closes.
         *
         * @throws IllegalArgumentException when it is below 1 KiB
         */
        public Builder messageBytes(int longest) {
            require(longest >= 1024, "messageBytes " + longest + " is below 1024");
            this.messageBytes = longest;
            return this;
        }

        /**
         * Sets how many bytes may wait between the socket and the application's callbacks; default 8 MiB. Messages,
         * answers, errors and items of streams count until their callback has returned, each with 256 bytes more than
         * its length. Each character of a text counts as one byte; a text with characters beyond Latin-1 takes up to
         * twice as much of the heap. When more arrives, the connection is closed with 4102, and resumed after the
         * backoff.
         *
         * @throws IllegalArgumentException when it is below 2 KiB
         */
        public Builder inboundBytes(int most) {
            require(most >= 2048, "inboundBytes " + most + " is below 2048");
            this.inboundBytes = most;
            return this;
        }

        /**
         * Sets how many bytes may wait in a connection for the network; default 4 MiB. The longest message that this
         * client sends is half of it. A longer one fails with {@code too_big}, and so does one beyond the server's own
         * limit. When the token does not fit, each attempt to connect fails, and {@link ClientListener#onError} reports
         * why.
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
         * Sets the executor of the callbacks, for example the thread of a user interface; default: one daemon thread of
         * the client. On any executor the callbacks run in order, one at a time. The client never shuts it down.
         *
         * <p>While the executor runs no callbacks, 10,000 outcomes of what the application asked for may wait, and 8
         * MiB of failures and dropped messages. Further calls fail at once with {@code overloaded}. An executor that
         * runs tasks on the caller blocks the client's timer thread during each callback, and {@link
         * RealtimeClient#close} in such a callback delivers nothing.
         */
        public Builder callbackExecutor(Executor executor) {
            this.callbackExecutor = Objects.requireNonNull(executor, "executor");
            return this;
        }

        /**
         * Sets what runs the tasks that an executor of the application rejects; default: a new thread. For simulations.
         */
        Builder substitute(Executor other) {
            this.substitute = other;
            return this;
        }

        /**
         * Sets the source of {@code wss} connections: trusted certificates, a client certificate; default: the
         * platform's. The server's name is verified with any factory.
         */
        public Builder tls(SSLSocketFactory factory) {
            this.tls = Objects.requireNonNull(factory, "factory");
            return this;
        }

        /** Sets the transport that opens connections; default: Java-WebSocket. */
        public Builder transport(ClientTransport other) {
            this.transport = Objects.requireNonNull(other, "other");
            return this;
        }

        /**
         * Sets the scheduler, which keeps the time and has one thread; default: one daemon thread of the client. The
         * client never shuts it down.
         */
        public Builder scheduler(Scheduler other) {
            this.scheduler = Objects.requireNonNull(other, "other");
            return this;
        }

        /** Sets the source of ids and jitter; default: a {@link SecureRandom}. Used by the scheduler's thread. */
        public Builder random(Random source) {
            this.random = Objects.requireNonNull(source, "source");
            return this;
        }

        /** Sets what maps payloads between Java and JSON; default {@link GsonCodec#create}. */
        public Builder codec(PayloadCodec mapping) {
            this.codec = Objects.requireNonNull(mapping, "codec");
            return this;
        }

        /**
         * Sets what returns the trace context of the messages that the application sends; default: none. It is asked
         * for each event and each request, on the thread that sends, and returns a {@code traceparent} of W3C Trace
         * Context, or null. The server gets it as {@link Message#trace}. What it throws, and a context that is not 1 to
         * 128 of {@code A-Z a-z 0-9 _ . : / -}, is reported to {@link ClientListener#onError}; the message is sent
         * without. An {@link #outboxFile} does not keep the context.
         */
        public Builder trace(Supplier<@Nullable String> current) {
            this.traces = Objects.requireNonNull(current, "current");
            return this;
        }

        /** Sets the listener for everything except messages; default: none. */
        public Builder listener(ClientListener other) {
            this.listener = Objects.requireNonNull(other, "other");
            return this;
        }

        /**
         * Returns a client that does nothing until {@link RealtimeClient#connect}.
         *
         * @throws IllegalStateException when both {@link #tls} and {@link #transport} were set, {@link #inboundBytes}
         *     has no room for a message of {@link #messageBytes}, the file of {@link #outboxFile} has served a client
         *     before, or a library that the client needs is missing or too old
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
            ClientThreads threads = new ClientThreads(scheduler, callbackExecutor, substitute);
            CallbackDispatcher callbacks = new CallbackDispatcher(
                    threads.callbacks(),
                    substitute,
                    inboundBytes,
                    listener,
                    threads.scheduler(),
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
                    outboxFile == null ? null : outboxFile.file(),
                    tokenTimeout,
                    connectTimeout,
                    carrier,
                    threads.scheduler(),
                    random == null ? new SecureRandom() : random,
                    traces);
            ClientEngine engine = new ClientEngine(config, callbacks);
            return new RealtimeClient(engine, callbacks, threads, target.toString());
        }

        private static Duration requireTimeout(String name, Duration timeout) {
            require(!timeout.isNegative() && !timeout.isZero(), name + " " + timeout + " is not positive");
            require(timeout.compareTo(LONGEST_TIMEOUT) <= 0, name + " " + timeout + " is above " + LONGEST_TIMEOUT);
            return timeout;
        }

        private static void require(boolean holds, String otherwise) {
            if (!holds) {
                throw new IllegalArgumentException(otherwise);
            }
        }
    }
}
