package io.realtime.examples.simulation;

import io.realtime.Event;
import io.realtime.Message;
import io.realtime.Position;
import io.realtime.RealtimeException;
import io.realtime.server.Authentication;
import io.realtime.server.Credentials;
import io.realtime.server.Interceptor;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Room;
import io.realtime.server.SendRule;
import io.realtime.server.Session;
import io.realtime.spi.ServerTransport;
import io.realtime.testing.SimulatedPool;
import io.realtime.testing.SimulatedProcess;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** One process of the server, with its application: what it answers, passes on, refuses, and how long that takes. */
final class ServerLife {
    static final String MEMBER = "member";
    private static final String TEAM = "team";
    private static final int MOST_BLOCKED = 6; // handlers at a time: each is a stack on the one thread there is

    private final Simulation simulation;
    private final Random random;
    private final ServerHost host;
    final String name;
    final SimulatedProcess process;
    final ServerTransport transport;
    final RealtimeServer server;
    final Asking asking;
    private final Rates perSession;
    private final Rates perUser;
    private final Set<String> running = new HashSet<>(); // messages whose handlers have not returned
    private final Map<String, String> lastOf = new HashMap<>(); // the last message of each plain connection
    private int blocked;

    ServerLife(Simulation simulation, ServerHost host, String name, int port) {
        this.simulation = simulation;
        this.random = simulation.random;
        this.host = host;
        this.name = name;
        this.process = simulation.time.newProcess();
        this.asking = new Asking(simulation, name, process, () -> Integer.MAX_VALUE); // sessions end when they like
        this.transport = simulation.network.serverTransport();
        this.perSession = new Rates(simulation.setup.limits().ratePerSession());
        this.perUser = new Rates(simulation.setup.limits().ratePerUser());
        RealtimeServer.Builder builder = RealtimeServer.builder();
        if (simulation.setup.presence() != null) {
            builder.presence(simulation.setup.presence());
        }
        builder.port(port)
                .authenticator(this::authenticate)
                .allowJoin(this::mayJoin)
                .allowSend(simulation.setup.joinsAreRefused() ? (session, event, room) -> true : SendRule.MEMBERS)
                .on(Note.SAY, (session, message) -> handle(session, message, message.data()))
                .on(Note.SAY_BYTES, (session, message) -> handle(session, message, Note.of(message.data())))
                .onRequestAsync(Asking.NEXT, this::next)
                .onStreamAsync(Asking.COUNT, (session, count, out) -> asking.count(count, out))
                .retention(simulation.setup.retention())
                .inboxRetention(simulation.setup.inboxRetention())
                .limits(simulation.setup.limits())
                .heartbeat(simulation.setup.heartbeat())
                .sessionTtl(simulation.setup.sessionTtl())
                .random(new Random(random.nextLong()))
                .scheduler(process)
                .executor(dawdling())
                .transport(transport);
        if (simulation.setup.threads() > 0) {
            // It passes everything on, so what is promised must hold.
            builder.intercept(new Interceptor() {}).intercept(new Interceptor() {});
        }
        this.server = builder.build().start();
    }

    /** Handlers that dawdle: what was received is often not yet processed when something breaks. */
    private Executor dawdling() {
        int threads = simulation.setup.threads();
        int longest = threads > 0 ? 100 : simulation.setup.longestHandlerMs(); // a few threads are soon all busy
        Supplier<Duration> dawdle =
                () -> Duration.ofMillis(host.dawdles() && random.nextInt(6) == 0 ? random.nextInt(longest) : 0);
        Executor executor = threads > 0
                ? new SimulatedPool(process, threads, simulation.setup.rejects() ? 10 : 1 << 20, dawdle)
                : task -> process.schedule(dawdle.get(), task);
        return task -> {
            if (simulation.setup.rejects() && host.dawdles() && random.nextInt(30) == 0) {
                throw new RejectedExecutionException("no thread could be made");
            }
            executor.execute(task);
        };
    }

    /** A rule that is slow, away, or of another mind than the last time. */
    private boolean mayJoin(Session session, String room) {
        requireAlive();
        if (!simulation.setup.rulesFail() || !host.dawdles()) {
            return true;
        }
        if (blocked < MOST_BLOCKED && random.nextInt(6) == 0) {
            block(Duration.ofMillis(random.nextInt(2_000)));
        }
        if (random.nextInt(12) == 0) {
            throw new IllegalStateException("the rule's database is away");
        }
        return random.nextInt(12) != 0;
    }

    private void requireAlive() {
        if (!process.isAlive()) {
            throw new IllegalStateException("this process is dead, and its stack goes on");
        }
    }

    /** The token is {@code user/member}; some servers let it expire. */
    private CompletableFuture<Authentication> authenticate(Credentials credentials) {
        String[] token = String.valueOf(credentials.token()).split("/", 2);
        perUser.begin(token[0], simulation.time.nanoTime());
        perSession.begin(token[1], simulation.time.nanoTime());
        Instant expires = simulation.setup.tokensExpire() && host.dawdles()
                ? Instant.ofEpochMilli(process.currentTimeMillis() + 3_000 + random.nextInt(10_000))
                : null;
        CompletableFuture<Authentication> answer = new CompletableFuture<>();
        Authentication proof = Authentication.of(token[0])
                .withAttribute(MEMBER, token[1])
                .withTag(TEAM, team(token[0]))
                .withExpiry(expires);
        int slow = random.nextInt(8) == 0 ? 8_000 : 500;
        process.schedule(
                Duration.ofMillis(random.nextInt(4) == 0 ? random.nextInt(slow) : 0), () -> answer.complete(proof));
        return answer;
    }

    // ---------------------------------------------------------------- handlers

    private void handle(Session session, Message<?> message, Note note) {
        begin(session, note.text());
        if (note.by().startsWith("p")) {
            handlePlain(note);
        } else {
            boolean isLate = simulation.server.life != this; // it closes, and the next server may have had it before
            simulation.history.handled(name, note.by(), note.text(), message.isRedelivered() || isLate);
            if (!session.user().id().equals(simulation.owners.get(note.by()))) {
                simulation.history.broken(name + " takes " + note.text() + " for one of " + session.user());
            }
        }
        running.add(note.text());
        try {
            maybeBlock();
            if (note.isRefused()) {
                throw new RealtimeException(Note.REFUSED, "number " + note.number());
            }
            String room = message.room();
            if (room != null) {
                passOn(session, room, note);
            }
            if (host.dawdles() && random.nextInt(2_000) == 0) {
                simulation.faults.shutDownByHandler();
            }
        } finally {
            running.remove(note.text());
        }
    }

    /** Returns whether a handler is at work with a message. */
    boolean isRunning(String message) {
        return running.contains(message);
    }

    private CompletableFuture<Integer> next(Session session, int number) {
        begin(session, "request " + number);
        return asking.next(number);
    }

    private void begin(Session session, String what) {
        requireAlive();
        simulation.wire.handled(what);
        if (simulation.wire.isKicked(session.id())) {
            simulation.history.broken(name + " handles " + what + " of " + session + ", which was ended for good");
        }
        long now = simulation.time.nanoTime();
        // A plain client's messages wait for their handlers after they have had their turn; its name is the
        // connection's.
        String whose = session.isManaged() ? session.id() : member(session);
        boolean isWithinRates =
                perSession.take(whose, now) && perUser.take(session.user().id(), now);
        if (!isWithinRates && simulation.server.life == this) { // once it closes, rates hold nothing back
            simulation.history.broken(String.format("%s handles %s of %s above the rate", name, what, session.user()));
        }
    }

    /** A plain client's messages are handled at most once, and in order. */
    private void handlePlain(Note note) {
        simulation.trace(name + " handles " + note.text());
        String last = lastOf.put(note.by(), note.text());
        if (last != null && Integer.parseInt(last.substring(last.lastIndexOf('-') + 1)) >= note.number()) {
            simulation.history.broken(String.format("%s handles %s behind %s", name, note.text(), last));
        }
    }

    private void maybeBlock() {
        if (simulation.setup.handlersBlock() && host.dawdles() && blocked < MOST_BLOCKED && random.nextInt(20) == 0) {
            block(Duration.ofMillis(random.nextInt(simulation.setup.longestHandlerMs())));
        }
    }

    private void block(Duration length) {
        blocked++;
        try {
            process.sleep(length);
        } finally {
            blocked--;
        }
    }

    private void passOn(Session session, String room, Note note) {
        if (!session.isIn(room)) {
            return; // it was taken out while its handler was at work
        }
        Room to = session.room(room);
        if (note.leavesSenderOut()) {
            host.publish(to.except(session.id()), room, note, leaving(session), Set.of(member(session)));
        } else if (note.isForManaged()) {
            publishToManaged(to, room, note);
        } else {
            host.publish(to, room, note, Wire.Audience.EVERYONE, Set.of());
        }
    }

    /** To those sessions that pass now; in its next session a member that passed may be left out. */
    void publishToManaged(Room to, String room, Note note) {
        Set<String> passed = new HashSet<>();
        for (Session member : to.localMembers()) {
            if (member.isManaged()) {
                passed.add(member.id());
            }
        }
        host.publish(
                to.filter(Session::isManaged), room, note, new Wire.Audience(passed, Set.of(), null, 0, true), null);
    }

    static Wire.Audience leaving(Session out) {
        return new Wire.Audience(null, Set.of(out.id()), null, 0, false);
    }

    /** To the members of one team, those included who come later. Before, or after, a session changes its team. */
    void publishToTeam(Room to, String room, Note note, @Nullable Session mover) {
        String team = team(String.valueOf(note.number()));
        Session later = mover != null && random.nextBoolean() ? mover : null;
        if (later != null && random.nextBoolean()) {
            changeTeam(later);
            later = null;
        }
        host.publish(to.having(TEAM, team), room, note, simulation.wire.ofTeam(team), null);
        if (later != null) {
            changeTeam(later);
        }
    }

    private void changeTeam(Session session) {
        String other = "odd".equals(session.tags().get(TEAM)) ? "even" : "odd";
        if (simulation.wire.changesTeam(session.id(), other)) {
            session.tag(TEAM, other);
        }
    }

    /** Returns the team of a user: one of two. */
    static String team(String user) {
        return user.hashCode() % 2 == 0 ? "even" : "odd";
    }

    static String member(Session session) {
        return String.valueOf(session.attributes().get(MEMBER));
    }

    /** Publishes, with a key or with null for none. */
    static Position send(Room room, Note note, @Nullable String key) {
        Position at = note.isBinary()
                ? send(room, Note.SAID_BYTES, ByteBuffer.wrap(note.bytes()), key)
                : send(room, Note.SAID, note, key);
        if (at == null) {
            throw new IllegalStateException(note.text() + " is in no log");
        }
        return at;
    }

    private static <T> @Nullable Position send(Room room, Event<T> event, T data, @Nullable String key) {
        return key == null
                ? room.send(event, data).join()
                : room.send(event, data, key).join();
    }
}
