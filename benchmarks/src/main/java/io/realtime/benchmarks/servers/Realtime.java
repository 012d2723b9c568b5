package io.realtime.benchmarks.servers;

import io.realtime.Event;
import io.realtime.Request;
import io.realtime.server.JwtAuthenticator;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Retention;
import io.realtime.server.ServerStats;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.Charset;
import java.util.logging.Level;
import java.util.logging.Logger;

/**
 * This library on the named transport, with the default retention; without retention if the second argument is {@code
 * none}. It checks a token of each client, echoes, answers, and publishes to one room. For each line of its input it
 * prints what it holds.
 */
public final class Realtime {
    // Kept, since the JDK forgets loggers that nobody holds. A line for each session would be measured too.
    private static final Logger SESSIONS = Logger.getLogger("io.realtime.server.Session");

    /** The secret that signs the tokens of the load. It protects nothing. */
    public static final String SECRET = "a secret of at least 32 bytes for load only";

    private static final Event<String> PUBLISH = Event.of("p", String.class);
    private static final Event<String> ECHO = Event.of("e", String.class);
    private static final Request<String, String> ASK = Request.of("q", String.class, String.class);
    private static final int MANY = 1_000_000;

    private Realtime() {}

    public static void main(String[] arguments) throws IOException {
        SESSIONS.setLevel(Level.WARNING);
        boolean isLogged = arguments.length < 2 || !arguments[1].equals("none");
        Limits limits = Limits.builder()
                .connections(MANY)
                // All clients come from this machine, and are one user.
                .connectionsPerAddress(MANY)
                .sessionsPerUser(MANY)
                .rate(RateLimit.none())
                .build();
        try (RealtimeServer server = RealtimeServer.builder()
                        .port(0)
                        .transport(arguments[0])
                        .authenticator(JwtAuthenticator.hmac256(SECRET))
                        .allowJoin((session, room) -> true)
                        .limits(limits)
                        .retention(isLogged ? Retention.defaults() : Retention.none())
                        .on(
                                PUBLISH,
                                (session, message) ->
                                        session.connections().room("g").send(PUBLISH, message.data()))
                        .on(ECHO, (session, message) -> session.send(ECHO, message.data()))
                        .onRequest(ASK, (session, text) -> text)
                        .build()
                        .start();
                BufferedReader asked = new BufferedReader(new InputStreamReader(System.in, Charset.defaultCharset()))) {
            System.out.println("PORT " + server.port());
            while (asked.readLine() != null) {
                System.gc();
                Runtime heap = Runtime.getRuntime();
                ServerStats stats = server.stats();
                System.out.println("holds " + stats.connections() + " " + stats.sessions() + " "
                        + (heap.totalMemory() - heap.freeMemory()) + " " + Thread.activeCount() + " "
                        + (server.problem() == null ? "well" : server.problem()));
            }
        }
    }
}
