package io.realtime.benchmarks;

import io.realtime.CloseReason;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.Handshake;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.ServerTransport;
import io.realtime.spi.WireMessage;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A connection without a socket. It counts what it is sent and drops it, so that only the server's own cost is
 * measured. Used by one thread at a time: a benchmark's, or one that flushes the room.
 */
final class NullConnection implements Connection {
    private static final String REQUEST = """
            Host: chat.example.org:8080
            Upgrade: websocket
            Connection: Upgrade
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
            Sec-WebSocket-Version: 13
            Sec-WebSocket-Protocol: realtime.v1
            """;

    private final InetSocketAddress remote;
    private @Nullable ConnectionListener listener;
    private boolean isKept;
    private @Nullable Consumer<MessageBatch> ear;
    private @Nullable WireMessage last;
    private long frames;

    /** Creates a connection that is not open yet. */
    NullConnection(int number) {
        this.remote = InetSocketAddress.createUnresolved("client", number & 0xFFFF);
    }

    /**
     * Keeps the newest frame for {@link #takeLast}. Not by default: a reference that a thousand old objects change for
     * every message costs the collector more than the server's own work.
     */
    NullConnection keepLast() {
        isKept = true;
        return this;
    }

    /** Passes what is sent to a consumer, on the thread that sends. */
    NullConnection hear(Consumer<MessageBatch> listening) {
        ear = listening;
        return this;
    }

    /** Performs the upgrade of a managed client. */
    void open(ServerTransport.Acceptor acceptor) {
        Handshake handshake = handshake();
        ServerTransport.Upgrade answer = acceptor.upgrade(handshake);
        if (!answer.isAccepted()) {
            throw new IllegalStateException("upgrade refused: " + answer);
        }
        listener = acceptor.open(this, handshake);
    }

    /** Returns the handshake that a transport would parse, with strings of this connection's own. */
    private Handshake handshake() {
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        REQUEST.lines().forEach(line -> {
            int colon = line.indexOf(':');
            headers.put(line.substring(0, colon), line.substring(colon + 2));
        });
        return new Handshake("/ws", "", headers, remote);
    }

    /** Delivers a text from the client. */
    void receive(String text) {
        listener().onText(text);
    }

    /** Simulates a broken network: nothing more arrives, and the server is told. */
    void cut() {
        listener().onClosed(new CloseReason(CloseReason.ABNORMAL, "cut"), false);
        listener = null;
        last = null;
    }

    private ConnectionListener listener() {
        if (listener == null) {
            throw new IllegalStateException("not open");
        }
        return listener;
    }

    /** Returns the newest frame, parsed, and forgets it. */
    Envelope takeLast() {
        WireMessage frame = last;
        if (frame == null) {
            throw new IllegalStateException("nothing was sent");
        }
        last = null;
        return Envelope.parse(frame.asText());
    }

    /** Returns the newest frame as a welcome, and forgets it. */
    Protocol.Welcome takeWelcome() {
        Envelope envelope = takeLast();
        if (!envelope.type().equals(Protocol.WELCOME)) {
            throw new IllegalStateException("not welcome: " + envelope);
        }
        return envelope.data(Protocol.Welcome.class);
    }

    /** Returns how many frames it was sent. */
    long frames() {
        return frames;
    }

    @Override
    public boolean send(MessageBatch batch) {
        frames += batch.frames().size();
        if (isKept) {
            last = batch.frames().get(batch.frames().size() - 1);
        }
        if (ear != null) {
            ear.accept(batch);
        }
        return true;
    }

    @Override
    public long outboundBytes() {
        return 0;
    }

    @Override
    public void ping() {}

    /**
     * Ends the connection without telling the server: servers of benchmarks end with their process, or close without
     * grace.
     */
    @Override
    public void close(CloseReason reason) {
        abort();
    }

    @Override
    public void abort() {
        listener = null;
    }

    @Override
    public String remoteAddress() {
        return remote.toString();
    }
}
