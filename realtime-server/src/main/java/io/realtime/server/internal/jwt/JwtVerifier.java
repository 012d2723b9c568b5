package io.realtime.server.internal.jwt;

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
import com.google.gson.JsonElement;
import com.google.gson.reflect.TypeToken;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.Durations;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.StrictJson;
import io.realtime.server.Authentication;
import io.realtime.server.JwtAuthenticator;
import java.nio.charset.StandardCharsets;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The verification of tokens with java-jwt, for {@link JwtAuthenticator}. Only this class needs that library.
 * Applications with an authenticator of their own may exclude it. Immutable.
 */
public final class JwtVerifier {
    /** The algorithm and key of a verifier. It hides java-jwt's own type. */
    public record Key(Algorithm algorithm) {
        public static Key hmac256(byte[] secret) {
            return new Key(Algorithm.HMAC256(secret));
        }

        public static Key rsa256(RSAPublicKey key) {
            return new Key(Algorithm.RSA256(key, null));
        }

        public static Key ecdsa256(ECPublicKey key) {
            return new Key(Algorithm.ECDSA256(key, null));
        }
    }

    private static final TypeToken<Map<String, JsonElement>> CLAIMS = new TypeToken<>() {};
    private static final Set<String> TIMES = Set.of("nbf", "iat");

    private final Algorithm algorithm;
    private final Duration leeway;
    private final Clock clock;
    private final JWTVerifier verifier;

    public JwtVerifier(Key key, @Nullable String issuer, @Nullable String audience, Duration leeway, Clock clock) {
        this.algorithm = key.algorithm();
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

    public String algorithm() {
        return algorithm.getName();
    }

    /**
     * Verifies a token.
     *
     * @throws RealtimeException when the token is refused, with a reason that the peer may know
     */
    public Authentication authenticate(String token) {
        DecodedJWT verified = verify(token);
        // getSubject() would make a string of a number.
        String user = verified.getClaim("sub").asString();
        if (user == null) {
            throw refused("token has no sub that is a string");
        }
        String fault = Names.userFault(user);
        if (fault != null) {
            throw refused("sub " + fault);
        }
        return Authentication.of(user).withExpiry(end(verified));
    }

    private DecodedJWT verify(String token) {
        try {
            DecodedJWT verified = verifier.verify(token);
            byte[] payload = Base64.getUrlDecoder().decode(verified.getPayload());
            // Refuses a repeated claim. java-jwt 4.6.2 silently takes the last one.
            Map<String, JsonElement> claims = StrictJson.read(new String(payload, StandardCharsets.UTF_8), CLAIMS);
            boolean hasCritical = !verified.getHeaderClaim("crit").isMissing(); // RFC 7515 section 4.1.11
            if (claims == null || hasCritical) {
                throw new JWTVerificationException("no claims, or an extension that is not understood");
            }
            return verified;
        } catch (TokenExpiredException expired) {
            throw expired();
        } catch (RuntimeException invalid) {
            // java-jwt 4.6.2 throws a NullPointerException when the header is null.
            JWTVerificationException reason = new JWTVerificationException(reason(invalid));
            throw new RealtimeException(ErrorCode.UNAUTHORIZED, "token is invalid", false, reason);
        }
    }

    /** Returns why a token is invalid, for the log. The exception's own message may quote the token. */
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
        return "it is not a JSON Web Token as required (" + invalid.getClass().getSimpleName() + ")";
    }

    /** Returns when the authentication expires, or null for never. */
    private @Nullable Instant end(DecodedJWT verified) {
        Instant expiry = verified.getExpiresAtAsInstant();
        if (expiry == null) {
            return null;
        }
        if (expiry.isAfter(Durations.LATEST_EXPIRY)) {
            // Otherwise a token that counts milliseconds would never expire.
            throw refused("exp is after the year 9999; it counts seconds");
        }
        Instant end = expiry.plus(leeway);
        if (!clock.instant().isBefore(end)) {
            // java-jwt 4.6.2 accepts a token that expires in this very second.
            throw expired();
        }
        return end;
    }

    private static RealtimeException refused(String why) {
        return new RealtimeException(ErrorCode.UNAUTHORIZED, why);
    }

    private static RealtimeException expired() {
        return new RealtimeException(ErrorCode.TOKEN_EXPIRED, "token is expired");
    }
}
