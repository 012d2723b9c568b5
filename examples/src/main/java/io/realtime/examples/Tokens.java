package io.realtime.examples;

import com.auth0.jwt.JWT;
import com.auth0.jwt.algorithms.Algorithm;
import java.nio.charset.StandardCharsets;
import java.security.SecureRandom;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import org.jspecify.annotations.Nullable;

/** The secret of a demo, and the tokens that are made with it. */
final class Tokens {
    private static final int MIN_SECRET_BYTES = 32;

    private final String secret;

    private Tokens(String secret) {
        this.secret = secret;
    }

    /**
     * Takes the secret that was given, or invents one.
     *
     * @throws UsageException when it is shorter than HS256 allows (RFC 7518 section 3.2); never quotes it
     */
    static Tokens of(@Nullable String given) {
        if (given == null) {
            byte[] random = new byte[MIN_SECRET_BYTES];
            new SecureRandom().nextBytes(random);
            return new Tokens(Base64.getUrlEncoder().withoutPadding().encodeToString(random));
        }
        int bytes = given.getBytes(StandardCharsets.UTF_8).length;
        if (bytes < MIN_SECRET_BYTES) {
            throw new UsageException("--secret has " + bytes + (bytes == 1 ? " byte" : " bytes")
                    + "; HS256 needs at least " + MIN_SECRET_BYTES);
        }
        return new Tokens(given);
    }

    String secret() {
        return secret;
    }

    /** Returns a token for a user, good for a while. */
    String create(String user, Duration life) {
        return JWT.create()
                .withSubject(user)
                .withExpiresAt(Instant.now().plus(life))
                .sign(Algorithm.HMAC256(secret));
    }

    /** Says nothing of the secret. */
    @Override
    public String toString() {
        return "Tokens";
    }
}
