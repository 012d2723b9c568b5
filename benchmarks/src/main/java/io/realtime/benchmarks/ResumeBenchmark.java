package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Retention;
import io.realtime.server.Room;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** The time from a resuming session's {@code $hello} to the last message that it missed. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.SampleTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ResumeBenchmark {
    private static final Event<String> SAID = Event.of("chat.said", String.class);
    private static final String TEXT = "m".repeat(120);
    private static final String ROOM = "chat:42";
    private static final String ANOTHER = "chat:43";
    // So that the same code is compiled, whatever the parameters.
    private static final int REHEARSALS = 20_000;

    /** How many messages the room's log holds. */
    @Param("1000")
    public int log = 1000;

    /** How many other sessions the server has. */
    @Param("1")
    public int others = 1;

    /**
     * Where the other sessions are: in no room; in the {@code same room}; or in {@code another room}, to which as much
     * is published, so that its load on the processor's caches is equal.
     */
    @Param("no room")
    public String place = "no room";

    /** How many messages the session missed. */
    @Param("10")
    public int missed = 10;

    private NullServer server;
    private Room room;
    // Resumes first.
    private Client before;
    private Client client;
    private Position top = new Position("none", 0);

    /** A client that disconnects and returns, and remembers its position. */
    private static final class Client {
        private final String user;
        private final String secret;
        private final Map<String, Position> positions = new HashMap<>();
        private NullConnection connection;
        private String hello = "";

        Client(NullServer server, String user) {
            this.user = user;
            this.connection = server.connect().keepLast();
            server.begin(connection, user);
            Protocol.Welcome welcome = connection.takeWelcome();
            this.secret = welcome.session();
            welcome.rooms().forEach((name, at) -> positions.put(name, new Position(at.epoch(), at.offset())));
            server.join(connection, ROOM);
        }

        void leave(NullServer server, Position seen) {
            connection.cut();
            server.work();
            positions.put(ROOM, seen);
            hello = NullServer.hello(
                    new Protocol.Hello(user, NullServer.client(user), secret, positions, null, null, null, null));
            connection = server.connect().keepLast();
        }

        long resume(NullServer server) {
            connection.receive(hello);
            server.work();
            return connection.frames();
        }
    }

    /** Fills the log and the server. */
    @Setup
    public void fill() {
        server = new NullServer(builder ->
                builder.allowJoin((session, name) -> true).retention(new Retention(log, Duration.ofMinutes(5))));
        room = server.server().connections().room(ROOM);
        before = new Client(server, "bob");
        client = new Client(server, "alice");
        publish(log);
        for (int i = 0; i < REHEARSALS; i += missed) {
            miss();
            resume();
            check();
        }
        for (int i = 0; i < others; i++) {
            NullConnection other = server.open("user-" + i);
            if (!place.equals("no room")) {
                server.join(other, place.equals("same room") ? ROOM : ANOTHER);
            }
        }
    }

    private void publish(int messages) {
        for (int i = 0; i < messages; i++) {
            top = Objects.requireNonNull(room.send(SAID, TEXT).join(), "logged");
            if (place.equals("another room")) {
                server.server().connections().room(ANOTHER).send(SAID, TEXT);
            }
        }
    }

    /**
     * Cuts two clients off, publishes what they miss, and resumes one. The other then finds the processor's caches as
     * in any wave of resumptions, not full of the members to whom the messages went.
     */
    @Setup(Level.Invocation)
    public void miss() {
        before.leave(server, top);
        client.leave(server, top);
        publish(missed);
        before.resume(server);
    }

    /** Runs the whole resumption, and returns how many frames it took. */
    @Benchmark
    public long resume() {
        return client.resume(server);
    }

    /** Checks that the session was resumed, and received what it missed and no more. */
    @TearDown(Level.Invocation)
    public void check() {
        long frames = client.connection.frames();
        long offset = client.connection.takeLast().offset();
        if (frames != 1 + missed || offset != top.offset()) {
            throw new IllegalStateException(frames + " frames up to " + offset + " of " + top);
        }
    }

    /** Closes the server. */
    @TearDown
    public void close() {
        server.close();
    }
}
