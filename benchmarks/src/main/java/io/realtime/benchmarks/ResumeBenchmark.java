package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.internal.wire.Frames;
import io.realtime.server.Retention;
import io.realtime.server.Room;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
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

/** How long a session that comes back takes from its {@code $hello} to the last message that it missed. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
public class ResumeBenchmark {
    private static final Event<String> SAID = Event.of("chat.said", String.class);
    private static final String TEXT = "m".repeat(120);
    private static final String ROOM = "chat:42";
    private static final int REHEARSALS = 20_000; // compiled alike, whatever the parameters

    /** How many messages the room's log holds. */
    @Param("1000")
    public int log = 1000;

    /** How many other sessions the server has. */
    @Param("1")
    public int others = 1;

    /** Where the others are: {@code elsewhere}, or in the same {@code room}. */
    @Param("elsewhere")
    public String place = "elsewhere";

    /** How many messages the session missed. */
    @Param("10")
    public int missed = 10;

    private NullServer server;
    private Room room;
    private Map<String, Position> positions;
    private String secret = "";
    private String hello = "";
    private NullConnection connection;
    private long top;

    /** Fills the log and the server. */
    @Setup
    public void fill() {
        server = new NullServer(builder ->
                builder.allowJoin((session, name) -> true).retention(new Retention(log, Duration.ofMinutes(5))));
        room = server.server().room(ROOM);
        connection = server.open("alice");
        Frames.Welcome welcome = connection.takeWelcome();
        secret = welcome.session();
        positions = new HashMap<>();
        welcome.rooms().forEach((name, at) -> positions.put(name, new Position(at.epoch(), at.offset())));
        server.join(connection, ROOM);
        for (int i = 0; i < log; i++) {
            publish();
        }
        for (int i = 0; i < REHEARSALS / missed; i++) {
            miss();
            resume();
            check();
        }
        for (int i = 0; i < others; i++) {
            NullConnection other = server.open("user-" + i);
            if (place.equals("room")) {
                server.join(other, ROOM);
            }
        }
    }

    private void publish() {
        Position position = room.send(SAID, TEXT);
        if (position == null) {
            throw new IllegalStateException("not logged");
        }
        positions.putIfAbsent(ROOM, position);
        top = position.offset();
    }

    /** Cuts the connection, publishes what is missed, and makes a new connection that has yet to say {@code $hello}. */
    @Setup(Level.Invocation)
    public void miss() {
        connection.cut();
        server.work();
        positions.computeIfPresent(ROOM, (name, old) -> new Position(old.epoch(), top));
        for (int i = 0; i < missed; i++) {
            publish();
        }
        hello = NullServer.hello(new Frames.Hello("alice", "c-alice", secret, positions, null, null));
        connection = server.connect();
    }

    /** The whole resumption; returns how many frames it took. */
    @Benchmark
    public long resume() {
        connection.receive(hello);
        server.work();
        return connection.frames();
    }

    /** Checks that the session was resumed, and was sent what it missed and no more. */
    @TearDown(Level.Invocation)
    public void check() {
        long offset = connection.takeLast().offset();
        if (connection.frames() != 1 + missed || offset != top) {
            throw new IllegalStateException(connection.frames() + " frames up to " + offset + " of " + top);
        }
    }

    /** Ends the server. */
    @TearDown
    public void close() {
        server.close();
    }
}
