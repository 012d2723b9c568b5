package io.realtime.benchmarks.load;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import io.realtime.benchmarks.servers.Realtime;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** The tokens of the load: one user for each client. */
public final class Tokens {
    private static final Algorithm SECRET = Algorithm.HMAC256(Realtime.SECRET);
    private static final Map<Integer, String> MADE = new ConcurrentHashMap<>();

    private Tokens() {}

    /** Returns the token of a client. It is created once, so a prepared run creates none. */
    public static String of(int client) {
        return MADE.computeIfAbsent(
                client, user -> JWT.create().withSubject("u" + user).sign(SECRET));
    }
}
