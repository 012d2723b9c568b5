package io.realtime.examples.attacks;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.TypeAdapter;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonWriter;
import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.examples.Child;
import io.realtime.server.Authentication;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import io.realtime.server.ServerStats;
import io.realtime.server.Session;
import io.realtime.server.SessionListener;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.management.ManagementFactory;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.logging.Handler;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import org.jspecify.annotations.Nullable;

/**
 * The server that is attacked, in a process of its own with a small heap, and an application that is no help: everyone
 * may join every room, handlers fail on request, and its rules and its listener fail for some.
 *
 * <p>Prints its port, then answers each line of input with one of its own. The main thread alone reads and prints.
 */
final class AttackedServer {
    /** What the crowd says: who, the how manieth of theirs, and when by the clock of their process. */
    record Note(int sender, int number, long sentAt) {}

    static final Event<Note> SAY = Event.of("say", Note.class);
    static final Event<Note> SAID = Event.of("said", Note.class);
    static final Event<String> NEWS = Event.of("news", String.class);
    static final Event<String> FAIL = Event.of("fail", String.class);
    static final Request<BigInteger, BigInteger> NEXT = Request.of("next", BigInteger.class, BigInteger.class);

    /** A client with a token that begins like this makes the application's listener throw. */
    static final String THROWER = "thrower";
    /** Who joins this room makes the join rule throw. */
    static final String THROWING_ROOM = "throw";
    /** A client with this token makes the authenticator throw. */
    static final String THROWING_TOKEN = "throw";

    /**
     * What a server says of itself.
     *
     * @param heap bytes in use behind a collection; 0 without one
     * @param warnings how much it has logged so far at WARN or above
     * @param warning the last of these
     * @param closed how many sessions have ended so far, by close code
     */
    record Status(
            ServerStats stats,
            long heap,
            int warnings,
            @Nullable String warning,
            @Nullable String problem,
            Map<Integer, Integer> closed) {}

    /** Writes and reads a status. */
    static final Gson GSON = new GsonBuilder()
            .registerTypeAdapter(Duration.class, new TypeAdapter<Duration>() {
                @Override
                public void write(JsonWriter out, Duration time) throws IOException {
                    out.value(time.toNanos());
                }

                @Override
                public Duration read(JsonReader in) throws IOException {
                    return Duration.ofNanos(in.nextLong());
                }
            })
            .create();

    private final RealtimeServer server;
    private final Map<Integer, Integer> closed = new ConcurrentHashMap<>();
    private final AtomicInteger warnings = new AtomicInteger();
    private volatile @Nullable String warning;

    private AttackedServer(String transport, Duration handshakeTimeout, @Nullable Path identity)
            throws IOException, GeneralSecurityException {
        RealtimeServer.Builder builder = RealtimeServer.builder()
                .port(0)
                .transport(transport)
                .limits(Limits.builder().handshakeTimeout(handshakeTimeout).build())
                .authenticator(credentials -> {
                    String token = String.valueOf(credentials.token());
                    failIf(token.equals(THROWING_TOKEN));
                    return CompletableFuture.completedFuture(Authentication.of(token));
                })
                .allowJoin((session, room) -> {
                    failIf(room.equals(THROWING_ROOM));
                    return true;
                })
                .on(
                        SAY,
                        (session, message) ->
                                session.room(message.requireRoom()).send(SAID, message.data()))
                .on(FAIL, (session, message) -> fail(message.data()))
                .onRequest(NEXT, (session, number) -> number.add(BigInteger.ONE))
                .listener(new Listener());
        if (identity != null) {
            builder.tls(TlsIdentity.load(identity).server());
        }
        server = builder.build().start();
    }

    /** Takes the transport, the handshake timeout in milliseconds, and a file with an identity where there is to be TLS. */
    public static void main(String[] args) throws Exception {
        Path identity = args.length > 2 ? Path.of(args[2]) : null;
        AttackedServer attacked = new AttackedServer(args[0], Duration.ofMillis(Long.parseLong(args[1])), identity);
        attacked.countWarnings();
        Child.print("port " + attacked.server.port());
        attacked.answer();
        attacked.server.close();
    }

    private void answer() throws IOException, InterruptedException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String[] words = line.split(" ", -1);
            switch (words[0]) {
                case "status" -> Child.print(GSON.toJson(status(false)));
                case "collect" -> Child.print(GSON.toJson(status(true)));
                case "broadcast" -> {
                    broadcast(words[1], Integer.parseInt(words[2]), Integer.parseInt(words[3]));
                    Child.print("done");
                }
                default -> throw new IllegalArgumentException(line);
            }
        }
    }

    private Status status(boolean collect) {
        long heap = 0;
        if (collect) {
            System.gc();
            heap = ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed();
        }
        return new Status(server.stats(), heap, warnings.get(), warning, server.problem(), Map.copyOf(closed));
    }

    /** Publishes so many messages of 1 KiB to a room, evenly. */
    @SuppressWarnings("FutureReturnValueIgnored") // what fails is not counted, and asked for in vain
    private void broadcast(String room, int count, int perSecond) throws InterruptedException {
        String text = "x".repeat(1024);
        CountDownLatch left = new CountDownLatch(count);
        ScheduledExecutorService publisher = Executors.newSingleThreadScheduledExecutor();
        try {
            publisher.scheduleAtFixedRate(
                    () -> {
                        server.connections().room(room).send(NEWS, text);
                        left.countDown();
                    },
                    0,
                    TimeUnit.SECONDS.toNanos(1) / perSecond,
                    TimeUnit.NANOSECONDS);
            left.await();
        } finally {
            publisher.shutdownNow();
        }
    }

    /** A flood of log lines is an attack too: they are counted instead of printed. */
    private void countWarnings() {
        Logger root = Logger.getLogger("");
        for (Handler console : root.getHandlers()) {
            root.removeHandler(console);
        }
        // The life of each session is told at INFO.
        Handler counter = new Handler() {
            @Override
            public void publish(LogRecord record) {
                if (record.getLevel().intValue() < Level.WARNING.intValue()) {
                    return;
                }
                warnings.incrementAndGet();
                warning = record.getLoggerName() + ": " + record.getMessage() + ": " + record.getThrown();
            }

            @Override
            public void flush() {}

            @Override
            public void close() {}
        };
        counter.setLevel(Level.WARNING);
        root.addHandler(counter);
    }

    private static void failIf(boolean wanted) {
        if (wanted) {
            throw new AssertionError("as requested");
        }
    }

    private static void fail(String how) {
        switch (how) {
            case "exception" -> throw new IllegalStateException("as requested");
            case "linkage" -> throw new NoClassDefFoundError("as requested");
            case "memory" -> throw new OutOfMemoryError("as requested");
            case "stack" -> fail(how);
            default -> throw new AssertionError("as requested");
        }
    }

    private final class Listener implements SessionListener {
        @Override
        public void onOpen(Session session) {
            failIf(session.user().id().startsWith(THROWER));
        }

        @Override
        public void onDetach(Session session, CloseReason reason) {
            failIf(session.user().id().startsWith(THROWER));
        }

        @Override
        public void onClose(Session session, CloseReason reason) {
            closed.merge(reason.code(), 1, Integer::sum);
            failIf(session.user().id().startsWith(THROWER));
        }

        @Override
        public void onError(Session session, Throwable failure) {
            failIf(session.user().id().startsWith(THROWER));
        }
    }
}
