package io.realtime.examples.simulation;

import com.google.gson.Gson;
import io.realtime.CloseReason;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.spi.ClientTransport;
import io.realtime.spi.Connection;
import io.realtime.spi.ConnectionListener;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.Scheduler;
import io.realtime.spi.WireMessage;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A page in a browser, without a client of ours: connects, joins, says something, sometimes far too much at once, and comes
 * back when it is thrown out. What it is sent is judged by {@link Wire}; here, that each question is answered once.
 */
final class PlainHost {
    private static final Gson GSON = new Gson();
    private static final Duration PAUSE = Duration.ofSeconds(1);
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final Simulation simulation;
    private final Random random;
    private final String name;
    private final String user;
    private final ClientTransport transport;
    private int connections;
    private int said;
    private boolean closed;
    private long lastHeard;
    private Scheduler.Cancellable attempt = () -> {};
    private @Nullable Ears ears;

    PlainHost(Simulation simulation, String name, String user) {
        this.simulation = simulation;
        this.random = simulation.random;
        this.name = name;
        this.user = user;
        this.transport = simulation.network.clientTransport();
    }

    /** Gives up the connection that it has, or asks for. */
    void reconnect() {
        Ears now = ears;
        attempt.cancel();
        if (now != null && now.connection != null) {
            now.connection.abort();
        } else {
            connect();
        }
    }

    private void connect() {
        ears = null;
        if (closed) {
            return;
        }
        lastHeard = simulation.time.nanoTime();
        String mine = name + "." + ++connections;
        URI uri = URI.create("ws://server:" + simulation.port + "/ws?token=" + user + "/" + mine);
        attempt = transport.connect(new ClientTransport.Target(uri, Map.of(), "", 1 << 20, 1 << 20), new Ears(mine));
    }

    /** Returns how many connections it has made. */
    int lives() {
        return connections;
    }

    void act() {
        Ears now = ears;
        if (simulation.time.nanoTime() - lastHeard > PATIENCE.toNanos()) {
            reconnect();
        }
        if (now == null || !now.isWelcome || (simulation.setup.isCrowded() && random.nextInt(50) > 0)) {
            return; // one of a crowd mostly listens
        }
        switch (random.nextInt(12)) {
            case 0 -> now.ask(Protocol.JOIN, simulation.anyRoom());
            case 1 -> now.ask(Protocol.LEAVE, simulation.anyRoom());
            case 2, 3, 4, 5 -> now.say(0);
            case 6 -> {
                int filler = random.nextBoolean() ? 0 : 600;
                for (int i = random.nextInt(120); i > 0; i--) {
                    now.say(filler);
                }
            }
            case 7 -> now.away();
            default -> now.send("", "{\"type\":\"$ping\"}");
        }
    }

    void close() {
        closed = true;
        attempt.cancel();
        if (ears != null) {
            ears.away();
        }
    }

    private final class Ears implements ClientTransport.Callback, ConnectionListener {
        private final String mine;
        private final Set<String> open = new LinkedHashSet<>(); // refs
        private final Set<String> rooms = new HashSet<>(); // that it has asked for
        private boolean isWelcome;
        private int questions;
        private @Nullable Connection connection;

        Ears(String mine) {
            this.mine = mine;
        }

        @Override
        public ConnectionListener connected(Connection opened) {
            connection = opened;
            if (closed || !isLatest()) {
                away();
            } else {
                ears = this;
            }
            return this;
        }

        @Override
        public void failed(Exception cause) {
            again();
        }

        private boolean isLatest() {
            return mine.equals(name + "." + connections);
        }

        private void again() {
            simulation.time.schedule(PAUSE, () -> {
                if (isLatest()) {
                    connect();
                }
            });
        }

        void away() {
            if (connection != null) {
                connection.close(new CloseReason(CloseReason.NORMAL, ""));
            }
        }

        private boolean send(String ref, String json) {
            boolean isSent = connection != null
                    && connection.send(MessageBatch.of(WireMessage.text(json.getBytes(StandardCharsets.UTF_8))));
            if (isSent && !ref.isEmpty()) {
                open.add(ref);
            }
            return isSent;
        }

        void ask(String type, String room) {
            String ref = "q" + ++questions;
            String data = "";
            if (type.equals(Protocol.JOIN)) {
                rooms.add(room);
                data = simulation.setup.hasPresence(room) ? ",\"data\":{\"presence\":true}" : "";
            }
            send(ref, "{\"type\":\"" + type + "\",\"room\":\"" + room + "\",\"ref\":\"" + ref + "\"" + data + "}");
        }

        void say(int filler) {
            Note note = new Note(mine, ++said, "x".repeat(filler));
            String room = random.nextInt(3) == 0 || rooms.isEmpty() ? "" : ",\"room\":\"" + simulation.anyRoom() + "\"";
            if (note.isBinary()) {
                byte[] header = ("{\"type\":\"say.bytes\",\"ref\":\"" + note.text() + "\"" + room + "}")
                        .getBytes(StandardCharsets.UTF_8);
                byte[] data = note.bytes();
                ByteBuffer frame = ByteBuffer.allocate(3 + header.length + data.length)
                        .put((byte) 1)
                        .putShort((short) header.length)
                        .put(header)
                        .put(data);
                if (connection != null && connection.send(MessageBatch.of(WireMessage.binary(frame.array())))) {
                    open.add(note.text());
                }
            } else {
                send(
                        note.text(),
                        "{\"type\":\"say\",\"ref\":\"" + note.text() + "\"" + room + ",\"data\":" + GSON.toJson(note)
                                + "}");
            }
        }

        @Override
        public void onText(String text) {
            lastHeard = simulation.time.nanoTime();
            Envelope envelope = Envelope.parseFromServer(text);
            String ref = envelope.ref();
            if (envelope.type().equals(Protocol.WELCOME)) {
                isWelcome = true;
                for (int i = random.nextInt(4); i > 0; i--) { // not all at once: its mailbox is small
                    ask(Protocol.JOIN, simulation.anyRoom());
                }
                if (simulation.setup.isCrowded()) {
                    ask(Protocol.JOIN, simulation.setup.rooms().get(0));
                }
            } else if (ref != null && !open.remove(ref)) {
                simulation.history.broken(mine + " is answered " + ref + ", which it did not ask, or twice");
            }
        }

        @Override
        public void onBinary(ByteBuffer payload) {}

        @Override
        public void onActivity() {}

        @Override
        public void onDrained() {}

        @Override
        public void onClosed(CloseReason reason, boolean byPeer) {
            simulation.trace(mine + " is closed: " + reason);
            again();
        }
    }

    /** After everything had time to be answered. */
    void requireSettled() {
        Ears now = ears;
        if (now == null || !now.isWelcome) {
            simulation.history.broken(name + " is not connected after all has healed");
        } else if (!now.open.isEmpty()) {
            simulation.history.broken(now.mine + " was never answered "
                    + now.open.iterator().next() + " and " + (now.open.size() - 1) + " more");
        }
    }
}
