package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.server.Retention;
import io.realtime.server.Room;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** How many messages a second one room takes and hands to its members, with a log and without. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class PublishBenchmark {
    private static final Event<String> SAID = Event.of("chat.said", String.class);
    private static final String TEXT = "m".repeat(120);

    /** {@code defaults}: 1,000 messages for 5 minutes; {@code none}: no log. */
    @Param({"defaults", "none"})
    public String retention = "defaults";

    /** How many sessions are in the room. */
    @Param("1000")
    public int members = 1000;

    private final List<NullConnection> connections = new ArrayList<>();
    private NullServer server;
    private Room room;

    /** Fills the room. */
    @Setup
    public void fill() {
        server = new NullServer(builder -> builder.allowJoin((session, name) -> true)
                .retention(retention.equals("none") ? Retention.none() : Retention.defaults()));
        room = server.server().room("chat:42");
        for (int i = 0; i < members; i++) {
            NullConnection member = server.open("user-" + i);
            server.join(member, "chat:42");
            connections.add(member);
        }
    }

    /** One message to everyone in the room. */
    @Benchmark
    public @Nullable Position publish() {
        return room.send(SAID, TEXT);
    }

    /** Checks that every member was sent every message, and ends the server. */
    @TearDown
    public void check() {
        Position top = room.send(SAID, TEXT);
        for (NullConnection member : connections) {
            long offset = member.takeLast().offset();
            if (top == null || offset != top.offset()) {
                throw new IllegalStateException("a member has " + offset + " of " + top);
            }
        }
        server.close();
    }
}
