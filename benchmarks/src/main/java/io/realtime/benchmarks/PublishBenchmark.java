package io.realtime.benchmarks;

import io.realtime.Event;
import io.realtime.Position;
import io.realtime.server.Retention;
import io.realtime.server.Room;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
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

/** The number of messages per second that one room accepts and hands to its members, with a log and without. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.Throughput)
@OutputTimeUnit(TimeUnit.SECONDS)
public class PublishBenchmark {
    private static final Event<String> SAID = Event.of("chat.said", String.class);
    // The welcome and the reply to the join.
    private static final int BEFORE = 2;
    private static final String TEXT = "m".repeat(120);

    /**
     * {@code defaults}: 1,000 messages for 5 minutes. {@code none}: no log. {@code alternating}: one iteration with a
     * log, the next without, so that other load on the machine affects both. {@code control}: alternating without a log
     * in either, which shows the error of the method itself.
     */
    @Param("alternating")
    public String retention = "alternating";

    /** How many sessions are in the room. */
    @Param("1000")
    public int members = 1000;

    private final List<Crowd> crowds = new ArrayList<>();
    private int iteration;
    private Room room;

    private record Crowd(NullServer server, Room room, List<NullConnection> members) {}

    /** Fills the rooms: one with a log, one without, or both. */
    @Setup
    public void fill() {
        switch (retention) {
            case "alternating" -> {
                crowds.add(crowd(Retention.defaults()));
                crowds.add(crowd(Retention.none()));
            }
            case "control" -> {
                crowds.add(crowd(Retention.none()));
                crowds.add(crowd(Retention.none()));
            }
            default -> crowds.add(crowd(retention.equals("none") ? Retention.none() : Retention.defaults()));
        }
        room = crowds.get(0).room;
    }

    private Crowd crowd(Retention kept) {
        NullServer server = new NullServer(
                builder -> builder.allowJoin((session, name) -> true).retention(kept));
        List<NullConnection> connections = new ArrayList<>();
        for (int i = 0; i < members; i++) {
            NullConnection member = server.open("user-" + i);
            server.join(member, "chat:42");
            connections.add(member);
        }
        return new Crowd(server, server.server().connections().room("chat:42"), connections);
    }

    /** Selects the next room in turn. The first iteration has the log. */
    @Setup(Level.Iteration)
    public void next() {
        room = crowds.get(iteration++ % crowds.size()).room;
    }

    /** Publishes one message to everyone in the room. */
    @Benchmark
    public CompletableFuture<@Nullable Position> publish() {
        return room.send(SAID, TEXT);
    }

    /** Checks that every member was sent every message, and closes the servers. */
    @TearDown
    public void check() {
        for (Crowd crowd : crowds) {
            Position top = crowd.room.send(SAID, TEXT).join();
            for (NullConnection member : crowd.members) {
                long messages = member.frames() - BEFORE;
                if (top == null || messages != top.offset()) {
                    throw new IllegalStateException("a member has " + messages + " of " + top);
                }
            }
            crowd.server.close();
        }
    }
}
