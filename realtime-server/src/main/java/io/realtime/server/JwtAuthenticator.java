package io.realtime.server;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.Durations;
import io.realtime.internal.Libraries;
import io.realtime.server.internal.jwt.JwtVerifier;
import java.nio.charset.StandardCharsets;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Clock;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * An authenticator that accepts JSON Web Tokens (RFC 7519) of one algorithm and one key. It compares the algorithm that
 * a token names with its own, and never uses the token's. So it refuses {@code none}, and a public key that is misused
 * as an HMAC secret. {@code sub} is required: it is the user, a string that {@link Authentication} accepts. At {@code
 * exp} the connection is closed with 4300 unless the client has refreshed its token. A token has at most 8,192
 * characters. Clocks may differ by 5 s: see {@link #leeway}. The server logs why a token was refused, but never the
 * token; the peer is told less.
 *
 * <p>Needs the library java-jwt, which comes with the server. Applications that authenticate otherwise may exclude it.
 * An application with a {@code module-info} says {@code requires com.auth0.jwt;}.
 *
 * <p>Immutable: {@link #issuer}, {@link #audience} and {@link #leeway} return a changed copy.
 */
public final class JwtAuthenticator implements Authenticator {
    private static final Duration DEFAULT_LEEWAY = Duration.ofSeconds(5);

    private static final int MIN_SECRET_BYTES = 32;
    private static final int MIN_RSA_BITS = 2048;
    private static final int EC_BITS = 256;
    private static final int MAX_TOKEN_CHARS = 8192;

    private final JwtVerifier.Key key;
    private final @Nullable String issuer;
    private final @Nullable String audience;
    private final Duration leeway;
    private final Clock clock;
    private final JwtVerifier verifier;

    private JwtAuthenticator(
            JwtVerifier.Key key, @Nullable String issuer, @Nullable String audience, Duration leeway, Clock clock) {
        this.key = key;
        this.issuer = issuer;
        this.audience = audience;
        this.leeway = leeway;
        this.clock = clock;
        this.verifier = new JwtVerifier(key, issuer, audience, leeway, clock);
    }

    /**
     * Returns an authenticator for tokens that are signed with HS256 and this secret.
     *
     * @throws IllegalArgumentException when the secret is shorter than 32 bytes (RFC 7518 section 3.2)
     */
    public static JwtAuthenticator hmac256(String secret) {
        return hmac256(secret.getBytes(StandardCharsets.UTF_8));
    }

    /** Like {@link #hmac256(String)}, with a secret of bytes. */
    public static JwtAuthenticator hmac256(byte[] secret) {
        if (secret.length < MIN_SECRET_BYTES) {
            throw new IllegalArgumentException("the secret has " + secret.length + " bytes; HS256 needs at least "
                    + MIN_SECRET_BYTES + " (RFC 7518 section 3.2)");
        }
        return of(() -> JwtVerifier.Key.hmac256(secret));
    }

    /**
     * Returns an authenticator for tokens that are signed with RS256.
     *
     * @throws IllegalArgumentException when the key is shorter than 2048 bits (RFC 7518 section 3.3)
     */
    public static JwtAuthenticator rsa256(RSAPublicKey key) {
        if (key.getModulus().bitLength() < MIN_RSA_BITS) {
            throw new IllegalArgumentException("the key has " + key.getModulus().bitLength()
                    + " bits; RS256 needs at least " + MIN_RSA_BITS + " (RFC 7518 section 3.3)");
        }
        return of(() -> JwtVerifier.Key.rsa256(key));
    }

    /**
     * Returns an authenticator for tokens that are signed with ES256.
     *
     * @throws IllegalArgumentException when the key is not of 256 bits (RFC 7518 section 3.4)
     */
    public static JwtAuthenticator ecdsa256(ECPublicKey key) {
        int bits = key.getParams().getOrder().bitLength();
        if (bits != EC_BITS) {
            throw new IllegalArgumentException(
                    "the key has " + bits + " bits; ES256 needs " + EC_BITS + " (RFC 7518 section 3.4)");
        }
        return of(() -> JwtVerifier.Key.ecdsa256(key));
    }

    private static JwtAuthenticator of(Supplier<JwtVerifier.Key> key) {
        return Libraries.use(
                "JwtAuthenticator",
                "com.auth0:java-jwt (and 'requires com.auth0.jwt;' in a module-info)",
                () -> new JwtAuthenticator(key.get(), null, null, DEFAULT_LEEWAY, Clock.systemUTC()));
    }

    /** Returns a copy that accepts only tokens with this {@code iss}; default any. */
    public JwtAuthenticator issuer(String name) {
        return new JwtAuthenticator(key, Objects.requireNonNull(name, "issuer"), audience, leeway, clock);
    }

    /** Returns a copy that accepts only tokens with this value among their {@code aud}; default any. */
    public JwtAuthenticator audience(String name) {
        return new JwtAuthenticator(key, issuer, Objects.requireNonNull(name, "audience"), leeway, clock);
    }

    /**
     * Returns a copy that lets the clocks of this server and of the signer of tokens differ by this much, in whole
     * seconds; default 5 s. A token is accepted this much before its {@code nbf} and {@code iat}, and this much after
     * its {@code exp}.
     *
     * @throws IllegalArgumentException when it is negative
     */
    public JwtAuthenticator leeway(Duration tolerance) {
        Duration whole =
                Duration.ofSeconds(Durations.notNegative("leeway", tolerance).toSeconds());
        return new JwtAuthenticator(key, issuer, audience, whole, clock);
    }

    /** Returns a copy with another clock, for tests. */
    JwtAuthenticator clock(Clock other) {
        return new JwtAuthenticator(key, issuer, audience, leeway, other);
    }

    @Override
    public CompletionStage<Authentication> authenticate(Credentials credentials) {
        String token = credentials.token();
        if (token == null) {
            throw refused("token is missing");
        }
        if (token.length() > MAX_TOKEN_CHARS) {
            throw refused("token is longer than " + MAX_TOKEN_CHARS + " characters");
        }
        return CompletableFuture.completedFuture(verifier.authenticate(token));
    }

    private static RealtimeException refused(String why) {
        return new RealtimeException(ErrorCode.UNAUTHORIZED, why);
    }

    /** Returns the algorithm only. */
    @Override
    public String toString() {
        return "JwtAuthenticator{" + verifier.algorithm() + "}";
    }
}
