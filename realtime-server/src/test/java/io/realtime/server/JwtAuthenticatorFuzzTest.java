package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.auth0.jwt.algorithms.Algorithm;
import com.code_intelligence.jazzer.junit.FuzzTest;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.spi.Handshake;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import java.util.Set;

/** Whatever a token holds, it is refused, in words that are ours, or names a user. */
class JwtAuthenticatorFuzzTest {
    private static final String SECRET = "0123456789abcdef0123456789abcdef";
    private static final Algorithm HS256 = Algorithm.HMAC256(SECRET);
    private static final Handshake HANDSHAKE =
            new Handshake("/ws", "", Map.of(), new InetSocketAddress(InetAddress.getLoopbackAddress(), 1));
    private static final String HEADER =
            base64("{\"alg\":\"HS256\",\"typ\":\"JWT\"}".getBytes(StandardCharsets.US_ASCII));

    private final JwtAuthenticator plain = JwtAuthenticator.hmac256(SECRET);
    private final JwtAuthenticator picky =
            plain.issuer("issuer").audience("audience").leeway(Duration.ofSeconds(10));

    /** Takes the bytes as a token that nobody signed, and as the claims of one that somebody with the key did. */
    @FuzzTest
    void anyTokenIsRefusedOrNamesAUser(byte[] bytes) {
        String unsigned = new String(bytes, StandardCharsets.UTF_8);
        assertFalse(authenticates(plain, unsigned));
        assertFalse(authenticates(picky, unsigned));

        String payload = base64(bytes);
        byte[] signature =
                HS256.sign(HEADER.getBytes(StandardCharsets.US_ASCII), payload.getBytes(StandardCharsets.US_ASCII));
        String signed = HEADER + "." + payload + "." + base64(signature);
        authenticates(plain, signed);
        authenticates(picky, signed);
    }

    private static String base64(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static boolean authenticates(JwtAuthenticator authenticator, String token) {
        Authentication proof;
        try {
            proof = authenticator
                    .authenticate(new Credentials(token, null, HANDSHAKE))
                    .toCompletableFuture()
                    .join();
        } catch (RealtimeException refused) {
            assertTrue(Set.of(ErrorCode.UNAUTHORIZED, ErrorCode.TOKEN_EXPIRED).contains(refused.code()));
            String message = String.valueOf(refused.getMessage());
            assertTrue(message.matches("[A-Za-z0-9 ,;]{1,80}"), message);
            return false;
        }
        assertFalse(proof.user().isEmpty());
        assertTrue(proof.expiresAt() == null || proof.expiresAt().toEpochMilli() > 0); // what the server asks of it
        return true;
    }
}
