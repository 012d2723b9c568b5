package io.realtime.server;

import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTVerifier;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.exceptions.JWTVerificationException;
import com.auth0.jwt.exceptions.TokenExpiredException;
import com.auth0.jwt.interfaces.DecodedJWT;
import com.auth0.jwt.interfaces.Verification;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import java.nio.charset.StandardCharsets;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Accepts JSON Web Tokens (RFC 7519) of one algorithm and one key: what the token says of its algorithm is compared
 * with that, never followed, so {@code none} and a public key abused as an HMAC secret are refused. {@code sub} is the
 * user and required; {@code exp} ends the connection with 4300 unless the client refreshes it.
 *
 * <p>Immutable: {@link #issuer}, {@link #audience} and {@link #leeway} return a changed copy.
 */
public final class JwtAuthenticator implements Authenticator {
    private static final int MIN_SECRET_BYTES = 32;
    private static final int MIN_RSA_BITS = 2048;
    private static final int MAX_TOKEN_CHARS = 8192;

    private final Algorithm algorithm;
    private final @Nullable String issuer;
    private final @Nullable String audience;
    private final Duration leeway;
    private final JWTVerifier verifier;

    private JwtAuthenticator(Algorithm algorithm, @Nullable String issuer, @Nullable String audience, Duration leeway) {
        this.algorithm = algorithm;
        this.issuer = issuer;
        this.audience = audience;
        this.leeway = leeway;
        Verification verification = JWT.require(algorithm).acceptLeeway(leeway.toSeconds());
        if (issuer != null) {
            verification.withIssuer(issuer);
        }
        if (audience != null) {
            verification.withAudience(audience);
        }
        this.verifier = verification.build();
    }

    /**
     * Tokens signed with HS256 and this secret.
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
        return of(Algorithm.HMAC256(secret));
    }

    /**
     * Tokens signed with RS256.
     *
     * @throws IllegalArgumentException when the key is shorter than 2048 bits (RFC 7518 section 3.3)
     */
    public static JwtAuthenticator rsa256(RSAPublicKey key) {
        if (key.getModulus().bitLength() < MIN_RSA_BITS) {
            throw new IllegalArgumentException("the key has " + key.getModulus().bitLength()
                    + " bits; RS256 needs at least " + MIN_RSA_BITS + " (RFC 7518 section 3.3)");
        }
        return of(Algorithm.RSA256(key, null));
    }

    /** Tokens signed with ES256. */
    public static JwtAuthenticator ecdsa256(ECPublicKey key) {
        return of(Algorithm.ECDSA256(Objects.requireNonNull(key, "key"), null));
    }

    private static JwtAuthenticator of(Algorithm algorithm) {
        return new JwtAuthenticator(algorithm, null, null, Duration.ZERO);
    }

    /** Accepts only tokens with this {@code iss}; default: any. */
    public JwtAuthenticator issuer(String name) {
        return new JwtAuthenticator(algorithm, name, audience, leeway);
    }

    /** Accepts only tokens with this among their {@code aud}; default: any. */
    public JwtAuthenticator audience(String name) {
        return new JwtAuthenticator(algorithm, issuer, name, leeway);
    }

    /** How far clocks may differ, in whole seconds; default: not at all. */
    public JwtAuthenticator leeway(Duration tolerance) {
        return new JwtAuthenticator(algorithm, issuer, audience, tolerance);
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
        DecodedJWT verified;
        try {
            verified = verifier.verify(token);
        } catch (TokenExpiredException expired) {
            throw new RealtimeException(ErrorCode.TOKEN_EXPIRED, "token is expired");
        } catch (JWTVerificationException invalid) { // its message may quote the token
            throw refused("token is invalid");
        }
        String user = verified.getSubject();
        if (user == null || user.isEmpty()) {
            throw refused("token has no sub");
        }
        Instant expiry = verified.getExpiresAtAsInstant();
        Instant end = expiry == null ? null : expiry.plus(leeway);
        return CompletableFuture.completedFuture(new Authentication(user, Map.of(), end));
    }

    private static RealtimeException refused(String why) {
        return new RealtimeException(ErrorCode.UNAUTHORIZED, why);
    }

    /** Names the algorithm only. */
    @Override
    public String toString() {
        return "JwtAuthenticator{" + algorithm.getName() + "}";
    }
}
