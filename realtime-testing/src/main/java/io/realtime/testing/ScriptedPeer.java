package io.realtime.testing;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParseException;
import com.google.gson.reflect.TypeToken;
import io.realtime.CloseReason;
import io.realtime.internal.wire.Protocol;
import io.realtime.internal.wire.StrictJson;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * A client that sends what a test directs, right or wrong, and records what it receives; for tests of a server at the
 * protocol level. It answers nothing automatically, except the pings and closes that its transport answers.
 *
 * <p>What arrives is kept until the test takes it, without a bound. Safe for use by many threads. No method blocks: in
 * virtual time first advance the time; over real sockets poll {@link #types} or {@link #closed}.
 */
public final class ScriptedPeer {
    private static final int MOST_BYTES = 1 << 20;

    private final ReentrantLock lock = new ReentrantLock();

    @GuardedBy("lock")
    private final List<Received> received = new ArrayList<>();

    @GuardedBy("lock")
    private @Nullable Connection connection;

    @GuardedBy("lock")
    private @Nullable CloseReason closed;

    @GuardedBy("lock")
    private @Nullable Exception failure;

    /** A message as received, its type, or "" if it has none, and the payload of a binary message. */
    private record Received(
            String text, String type, @Nullable ByteBuffer payload) {}

    private ScriptedPeer() {}

    /** Begins to connect as a client of this project does, and sends nothing yet. Accepts messages up to 1 MiB. */
    public static ScriptedPeer managed(ClientTransport transport, URI uri) {
        return connect(
                transport, new ClientTransport.Target(uri, Map.of(), Protocol.SUBPROTOCOL, MOST_BYTES, MOST_BYTES));
    }

    /** Begins to connect as a browser does with {@code new WebSocket(uri)}; the token is in the query. */
    public static ScriptedPeer plain(ClientTransport transport, URI uri) {
        return connect(transport, new ClientTransport.Target(uri, Map.of(), "", MOST_BYTES, MOST_BYTES));
    }

    /** Begins to connect with any subprotocol, headers and bounds. */
    public static ScriptedPeer connect(ClientTransport transport, ClientTransport.Target target) {
        ScriptedPeer peer = new ScriptedPeer();
        transport.connect(target, peer.new Ears());
        return peer;
    }

    /**
     * Sends JSON. Each single quote in it stands for a double quote, and neither can be escaped.
     *
     * @return false if the connection did not accept it: it is closing or closed, or its outbound queue is full
     * @throws IllegalStateException if there was never a connection
     */
    public boolean send(String json) {
        return sendRaw(json.replace('\'', '"'));
    }

    /** Sends a text message unchanged; otherwise like {@link #send}. */
    public boolean sendRaw(String text) {
        return open().send(MessageBatch.of(WireMessage.text(text.getBytes(StandardCharsets.UTF_8))));
    }

    /** Sends a binary message; otherwise like {@link #send}. */
    public boolean sendBinary(byte[] payload) {
        return open().send(MessageBatch.of(WireMessage.binary(payload.clone())));
    }

    /** Sends a WebSocket ping, which the server's transport answers. */
    public void ping() {
        open().ping();
    }

    /** Begins the closing handshake; {@link #closed} shows when it is complete. */
    public void close(int code, String text) {
        open().close(new CloseReason(code, text));
    }

    /** Aborts the connection without a closing handshake. */
    public void abort() {
        open().abort();
    }

    /**
     * Takes the oldest message of a type out of those received; all others stay.
     *
     * @param as the type to read the whole envelope into: a record, a map, or Gson's {@code JsonObject}
     * @throws AssertionError if no such message was received; the message says what was received instead
     */
    public <T> T next(String type, Class<T> as) {
        return read(take(type), as);
    }

    /** Takes the oldest message of a type like {@link #next}, and reads its data. */
    public <T> T data(String type, Class<T> as) {
        String text = take(type);
        return read(String.valueOf(read(text, JsonObject.class).get("data")), as);
    }

    /**
     * Takes the oldest binary message out of those received; all others stay.
     *
     * @return its payload, read-only
     * @throws AssertionError if no binary message was received; the message says what was received instead
     */
    public ByteBuffer nextBinary() {
        lock.lock();
        try {
            for (Iterator<Received> each = received.iterator(); each.hasNext(); ) {
                ByteBuffer payload = each.next().payload();
                if (payload != null) {
                    each.remove();
                    return payload.asReadOnlyBuffer();
                }
            }
        } finally {
            lock.unlock();
        }
        throw new AssertionError("no binary message was received by " + this);
    }

    private static <T> T read(String json, Class<T> as) {
        T value = StrictJson.read(json, TypeToken.get(as));
        if (value == null) {
            throw new AssertionError("null where there should be a " + as.getSimpleName());
        }
        return value;
    }

    private String take(String type) {
        lock.lock();
        try {
            for (Iterator<Received> each = received.iterator(); each.hasNext(); ) {
                Received one = each.next();
                if (one.type().equals(type)) {
                    each.remove();
                    return one.text();
                }
            }
        } finally {
            lock.unlock();
        }
        throw new AssertionError("no " + type + " was received by " + this);
    }

    /**
     * Returns the types of the messages that were received and not taken, oldest first; "" for a message that is not an
     * envelope.
     */
    public List<String> types() {
        lock.lock();
        try {
            return received.stream().map(Received::type).toList();
        } finally {
            lock.unlock();
        }
    }

    /** Returns the messages that were received and not taken, oldest first; for a binary message its length. */
    public List<String> received() {
        lock.lock();
        try {
            return received.stream().map(Received::text).toList();
        } finally {
            lock.unlock();
        }
    }

    /** Discards the messages that were received until now. */
    public void clear() {
        lock.lock();
        try {
            received.clear();
        } finally {
            lock.unlock();
        }
    }

    /** Returns whether there is an open connection. */
    public boolean isOpen() {
        lock.lock();
        try {
            return connection != null && closed == null;
        } finally {
            lock.unlock();
        }
    }

    /** Returns why the connection ended, or null if it has not ended. */
    public @Nullable CloseReason closed() {
        lock.lock();
        try {
            return closed;
        } finally {
            lock.unlock();
        }
    }

    /** Returns why the attempt to connect failed, or null if it did not fail. */
    public @Nullable Exception failure() {
        lock.lock();
        try {
            return failure;
        } finally {
            lock.unlock();
        }
    }

    private Connection open() {
        lock.lock();
        try {
            if (connection == null) {
                throw new IllegalStateException("not connected", failure);
            }
            return connection;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public String toString() {
        lock.lock();
        try {
            String state = failure != null
                    ? "failed with " + failure
                    : connection == null ? "connecting" : closed == null ? "open" : "closed " + closed;
            return "ScriptedPeer{" + state + ", received "
                    + received.stream().map(Received::text).toList() + "}";
        } finally {
            lock.unlock();
        }
    }

    private static String typeOf(String text) {
        try {
            JsonObject envelope = StrictJson.read(text, TypeToken.get(JsonObject.class));
            JsonElement type = envelope == null ? null : envelope.get("type"); // null if the text is "null"
            return type != null && type.isJsonPrimitive() ? type.getAsString() : "";
        } catch (JsonParseException noObject) {
            return "";
        }
    }

    private final class Ears implements ClientTransport.Callback, ConnectionListener {
        @Override
        public ConnectionListener connected(Connection opened) {
            lock.lock();
            try {
                connection = opened;
            } finally {
                lock.unlock();
            }
            return this;
        }

        @Override
        public void failed(Exception cause) {
            lock.lock();
            try {
                failure = cause;
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void onText(String text) {
            keep(new Received(text, typeOf(text), null));
        }

        @Override
        public void onBinary(ByteBuffer payload) {
            keep(new Received("binary message of " + payload.remaining() + " bytes", "", payload));
        }

        private void keep(Received message) {
            lock.lock();
            try {
                received.add(message);
            } finally {
                lock.unlock();
            }
        }

        @Override
        public void onActivity() {}

        @Override
        public void onDrained() {}

        @Override
        public void onClosed(CloseReason reason, boolean byPeer) {
            lock.lock();
            try {
                closed = reason;
            } finally {
                lock.unlock();
            }
        }
    }
}
