package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTCreator;
import com.auth0.jwt.algorithms.Algorithm;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.spi.Handshake;
import java.net.InetSocketAddress;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class JwtAuthenticatorTest {
    private static final String SECRET = "0123456789abcdef0123456789abcdef";
    private static final Algorithm HS256 = Algorithm.HMAC256(SECRET);
    private final JwtAuthenticator hmac = JwtAuthenticator.hmac256(SECRET);

    @Test
    void validTokenGivesItsUserAndExpiry() {
        Instant end = Instant.now().plusSeconds(60).truncatedTo(ChronoUnit.SECONDS);
        Authentication proof = authenticate(hmac, token().withExpiresAt(end).sign(HS256));
        assertEquals("ann", proof.user());
        assertEquals(end, proof.expiresAt());
    }

    @Test
    void tokenWithoutExpiryDoesNotEnd() {
        assertEquals(null, authenticate(hmac, token().sign(HS256)).expiresAt());
    }

    @Test
    void missingForeignAndUnsignedTokensAreRefused() {
        refused(ErrorCode.UNAUTHORIZED, hmac, null);
        refused(ErrorCode.UNAUTHORIZED, hmac, "");
        refused(ErrorCode.UNAUTHORIZED, hmac, "no.jwt.atall");
        refused(ErrorCode.UNAUTHORIZED, hmac, token().sign(Algorithm.none()));
        refused(ErrorCode.UNAUTHORIZED, hmac, token().sign(Algorithm.HMAC256(SECRET + "x")));
        refused(ErrorCode.UNAUTHORIZED, hmac, token().sign(Algorithm.HMAC512(SECRET)));
        refused(ErrorCode.UNAUTHORIZED, hmac, "x".repeat(10_000));
    }

    @Test
    void publicKeyUsedAsAnHmacSecretIsRefused() throws Exception {
        KeyPair pair = rsa(2048);
        JwtAuthenticator rsa = JwtAuthenticator.rsa256((RSAPublicKey) pair.getPublic());
        String confused = token().sign(Algorithm.HMAC256(pair.getPublic().getEncoded()));
        refused(ErrorCode.UNAUTHORIZED, rsa, confused);
        String valid = token().sign(Algorithm.RSA256(null, (RSAPrivateKey) pair.getPrivate()));
        assertEquals("ann", authenticate(rsa, valid).user());
    }

    @Test
    void ellipticCurveTokensAreAccepted() throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(new ECGenParameterSpec("secp256r1"));
        KeyPair pair = generator.generateKeyPair();
        JwtAuthenticator ec = JwtAuthenticator.ecdsa256((ECPublicKey) pair.getPublic());
        String valid = token().sign(Algorithm.ECDSA256(null, (ECPrivateKey) pair.getPrivate()));
        assertEquals("ann", authenticate(ec, valid).user());
    }

    @Test
    void expiredTokenIsToldApartSoThatTheClientRefreshes() {
        Instant past = Instant.now().minusSeconds(10);
        refused(ErrorCode.TOKEN_EXPIRED, hmac, token().withExpiresAt(past).sign(HS256));
        JwtAuthenticator lenient = hmac.leeway(Duration.ofSeconds(60));
        assertEquals(
                "ann",
                authenticate(lenient, token().withExpiresAt(past).sign(HS256)).user());
    }

    @Test
    void tokenThatIsNotYetValidIsRefused() {
        String early = token().withNotBefore(Instant.now().plusSeconds(60)).sign(HS256);
        refused(ErrorCode.UNAUTHORIZED, hmac, early);
    }

    @Test
    void issuerAudienceAndSubjectMustFit() {
        JwtAuthenticator strict = hmac.issuer("shop").audience("chat");
        String fits = token().withIssuer("shop").withAudience("chat", "mail").sign(HS256);
        assertEquals("ann", authenticate(strict, fits).user());
        refused(ErrorCode.UNAUTHORIZED, strict, token().withIssuer("shop").sign(HS256));
        refused(
                ErrorCode.UNAUTHORIZED,
                strict,
                token().withIssuer("evil").withAudience("chat").sign(HS256));
        refused(ErrorCode.UNAUTHORIZED, hmac, JWT.create().sign(HS256));
        refused(ErrorCode.UNAUTHORIZED, hmac, JWT.create().withSubject("").sign(HS256));
    }

    @Test
    void weakKeysAreRefusedWithoutShowingThem() throws Exception {
        String weak = "hunter2-hunter2";
        IllegalArgumentException failure =
                assertThrows(IllegalArgumentException.class, () -> JwtAuthenticator.hmac256(weak));
        assertTrue(String.valueOf(failure).contains("15 bytes"), String.valueOf(failure));
        assertFalse(String.valueOf(failure).contains("hunter"), String.valueOf(failure));
        KeyPair small = rsa(1024);
        assertThrows(IllegalArgumentException.class, () -> JwtAuthenticator.rsa256((RSAPublicKey) small.getPublic()));
    }

    @Test
    void noTextHoldsASecretOrAToken() {
        String token = token().sign(HS256);
        assertFalse(credentials(token).toString().contains(token));
        assertFalse(hmac.toString().contains(SECRET));
    }

    private static JWTCreator.Builder token() {
        return JWT.create().withSubject("ann");
    }

    private static KeyPair rsa(int bits) throws Exception {
        KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
        generator.initialize(bits);
        return generator.generateKeyPair();
    }

    private static Credentials credentials(@Nullable String token) {
        Handshake handshake =
                new Handshake("/ws", "token=" + token, Map.of(), InetSocketAddress.createUnresolved("h", 1));
        return new Credentials(token, null, handshake);
    }

    private static Authentication authenticate(JwtAuthenticator authenticator, String token) {
        return authenticator
                .authenticate(credentials(token))
                .toCompletableFuture()
                .join();
    }

    private static void refused(ErrorCode code, JwtAuthenticator authenticator, @Nullable String token) {
        RealtimeException refusal =
                assertThrows(RealtimeException.class, () -> authenticator.authenticate(credentials(token)));
        assertEquals(code, refusal.code());
        if (token != null && !token.isEmpty()) {
            assertFalse(refusal.getMessage().contains(token), "the refusal quotes the token");
        }
    }
}
