package io.realtime.server;

import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTVerifier;
import com.auth0.jwt.algorithms.Algorithm;
import com.auth0.jwt.exceptions.AlgorithmMismatchException;
import com.auth0.jwt.exceptions.IncorrectClaimException;
import com.auth0.jwt.exceptions.JWTVerificationException;
import com.auth0.jwt.exceptions.MissingClaimException;
import com.auth0.jwt.exceptions.SignatureVerificationException;
import com.auth0.jwt.exceptions.TokenExpiredException;
import com.auth0.jwt.interfaces.DecodedJWT;
import com.auth0.jwt.interfaces.Verification;
import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonElement;
import com.google.gson.Strictness;
import com.google.gson.reflect.TypeToken;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.Durations;
import java.nio.charset.StandardCharsets;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * Accepts JSON Web Tokens (RFC 7519) of one algorithm and one key: what the token says of its algorithm is compared
 * with that, never followed, so {@code none} and a public key abused as an HMAC secret are refused. {@code sub} is the
 * user and required, a string that {@link Authentication} takes; {@code exp} ends the connection with 4300 unless the
 * client refreshes it. A token has at most 8,192 characters. Clocks may differ by 5 s, {@link #leeway}. The server's log
 * says why a token was refused, never which; its peer is told less.
 *
 * <p>Immutable: {@link #issuer}, {@link #audience} and {@link #leeway} return a changed copy.
 */
public final class JwtAuthenticator implements Authenticator {
    private static final Duration DEFAULT_LEEWAY = Duration.ofSeconds(5);

    /** Refuses a claim that stands twice and what follows the claims; java-jwt 4.6.2 takes the last, and no notice. */
    private static final Gson CLAIMS =
            new GsonBuilder().setStrictness(Strictness.STRICT).create();

    private static final TypeToken<Map<String, JsonElement>> CLAIMS_TYPE = new TypeToken<>() {};

    private static final Set<String> TIMES = Set.of("nbf", "iat");
    private static final int MIN_SECRET_BYTES = 32;
    private static final int MIN_RSA_BITS = 2048;
    private static final int EC_BITS = 256;
    private static final int MAX_TOKEN_CHARS = 8192;

    private final Algorithm algorithm;
    private final @Nullable String issuer;
    private final @Nullable String audience;
    private final Duration leeway;
    private final Clock clock;
    private final JWTVerifier verifier;

    private JwtAuthenticator(
            Algorithm algorithm, @Nullable String issuer, @Nullable String audience, Duration leeway, Clock clock) {
        this.algorithm = algorithm;
        this.issuer = issuer;
        this.audience = audience;
        this.leeway = leeway;
        this.clock = clock;
        Verification verification = JWT.require(algorithm).acceptLeeway(leeway.toSeconds());
        if (issuer != null) {
            verification.withIssuer(issuer);
        }
        if (audience != null) {
            verification.withAudience(audience);
        }
        this.verifier = ((JWTVerifier.BaseVerification) verification).build(clock);
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

    /**
     * Tokens signed with ES256.
     *
     * @throws IllegalArgumentException when the key is not of 256 bits (RFC 7518 section 3.4)
     */
    public static JwtAuthenticator ecdsa256(ECPublicKey key) {
        int bits = key.getParams().getOrder().bitLength();
        if (bits != EC_BITS) {
            throw new IllegalArgumentException(
                    "the key has " + bits + " bits; ES256 needs " + EC_BITS + " (RFC 7518 section 3.4)");
        }
        return of(Algorithm.ECDSA256(key, null));
    }

    private static JwtAuthenticator of(Algorithm algorithm) {
        return new JwtAuthenticator(algorithm, null, null, DEFAULT_LEEWAY, Clock.systemUTC());
    }

    /** Accepts only tokens with this {@code iss}; default: any. */
    public JwtAuthenticator issuer(String name) {
        return new JwtAuthenticator(algorithm, Objects.requireNonNull(name, "issuer"), audience, leeway, clock);
    }

    /** Accepts only tokens with this among their {@code aud}; default: any. */
    public JwtAuthenticator audience(String name) {
        return new JwtAuthenticator(algorithm, issuer, Objects.requireNonNull(name, "audience"), leeway, clock);
    }

    /**
     * Sets by how much the clocks of this server and of who signs the tokens may differ, in whole seconds; default 5 s. A
     * token is accepted this much before its {@code nbf} and {@code iat}, and this much after its {@code exp}.
     *
     * @throws IllegalArgumentException when it is negative
     */
    public JwtAuthenticator leeway(Duration tolerance) {
        Duration whole =
                Duration.ofSeconds(Durations.notNegative("leeway", tolerance).toSeconds());
        return new JwtAuthenticator(algorithm, issuer, audience, whole, clock);
    }

    /** For tests: what time it is. */
    JwtAuthenticator clock(Clock other) {
        return new JwtAuthenticator(algorithm, issuer, audience, leeway, other);
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
        DecodedJWT verified = verify(token);
        String user = verified.getClaim("sub").asString(); // getSubject() makes a string of a number
        if (user == null) {
            throw refused("token has no sub that is a string");
        }
        String fault = Authentication.fault(user);
        if (fault != null) {
            throw refused("sub " + fault);
        }
        return CompletableFuture.completedFuture(new Authentication(user, Map.of(), end(verified)));
    }

    private DecodedJWT verify(String token) {
        try {
            DecodedJWT verified = verifier.verify(token);
            byte[] payload = Base64.getUrlDecoder().decode(verified.getPayload());
            Map<String, JsonElement> claims = CLAIMS.fromJson(new String(payload, StandardCharsets.UTF_8), CLAIMS_TYPE);
            boolean hasCritical = !verified.getHeaderClaim("crit").isMissing(); // RFC 7515 section 4.1.11
            if (claims == null || hasCritical) {
                throw new JWTVerificationException("no claims, or an extension that is not understood");
            }
            return verified;
        } catch (TokenExpiredException expired) {
            throw expired();
        } catch (RuntimeException invalid) { // java-jwt 4.6.2: a NullPointerException where the header is null
            JWTVerificationException reason = new JWTVerificationException(reason(invalid));
            throw new RealtimeException(ErrorCode.UNAUTHORIZED, "token is invalid", false, reason);
        }
    }

    /** Says for the log why a token is invalid; the exception's own message may quote the token. */
    private String reason(RuntimeException invalid) {
        if (invalid instanceof IncorrectClaimException incorrect) {
            String name = incorrect.getClaimName();
            Instant from = TIMES.contains(name) && incorrect.getClaimValue() != null
                    ? incorrect.getClaimValue().asInstant()
                    : null;
            return from == null
                    ? name + " is not what is required"
                    : name + " is " + Duration.between(clock.instant(), from).toMillis()
                            + " ms ahead of this server's clock; the leeway is " + leeway.toSeconds() + " s";
        }
        if (invalid instanceof MissingClaimException missing) {
            return missing.getClaimName() + " is missing";
        }
        if (invalid instanceof SignatureVerificationException) {
            return "the signature is not of this key";
        }
        if (invalid instanceof AlgorithmMismatchException) {
            return "the algorithm is not " + algorithm.getName();
        }
        return "it is no JSON Web Token as required (" + invalid.getClass().getSimpleName() + ")";
    }

    /** Returns when the proof ends, null if never. */
    private @Nullable Instant end(DecodedJWT verified) {
        Instant expiry = verified.getExpiresAtAsInstant();
        if (expiry == null) {
            return null;
        }
        if (expiry.isAfter(Authentication.LATEST)) { // else a token that counts milliseconds would never end
            throw refused("exp is after the year 9999; it counts seconds");
        }
        Instant end = expiry.plus(leeway);
        if (!clock.instant().isBefore(end)) { // java-jwt 4.6.2 lets pass what expires in this very second
            throw expired();
        }
        return end;
    }

    private static RealtimeException expired() {
        return new RealtimeException(ErrorCode.TOKEN_EXPIRED, "token is expired");
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
