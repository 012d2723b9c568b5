package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.auth0.jwt.JWT;
import com.auth0.jwt.JWTCreator;
import com.auth0.jwt.algorithms.Algorithm;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.spi.Handshake;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPrivateKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JwtAuthenticatorTest {
    private static final String SECRET = "0123456789abcdef0123456789abcdef";
    private static final Algorithm HS256 = Algorithm.HMAC256(SECRET);
    private static final Instant NOW = Instant.parse("2026-01-01T00:00:00Z");
    private static final KeyPair RSA = rsa(2048);
    private static final KeyPair EC = ec("secp256r1");

    private final JwtAuthenticator hmac =
            at(NOW, JwtAuthenticator.hmac256(SECRET)).leeway(Duration.ZERO);
    private final JwtAuthenticator rsa = JwtAuthenticator.rsa256((RSAPublicKey) RSA.getPublic());
    private final JwtAuthenticator ec = JwtAuthenticator.ecdsa256((ECPublicKey) EC.getPublic());

    // ---------------------------------------------------------------- what is accepted

    @Test
    void validTokenGivesItsUserAndExpiry() {
        Instant end = NOW.plusSeconds(60);
        Authentication proof = authenticate(hmac, token().withExpiresAt(end).sign(HS256));
        assertEquals("ann", proof.user());
        assertEquals(end, proof.expiresAt());
    }

    @Test
    void tokenWithoutExpiryDoesNotEnd() {
        assertNull(authenticate(hmac, token().sign(HS256)).expiresAt());
    }

    @Test
    void tokensOfEachAlgorithmAreAccepted() {
        assertEquals("ann", authenticate(rsa, token().sign(rs256(RSA))).user());
        assertEquals("ann", authenticate(ec, token().sign(es256(EC))).user());
        assertEquals(
                "ann",
                authenticate(hmac, signed("{'alg':'HS256'}", "{'sub':'ann'}")).user());
    }

    // ---------------------------------------------------------------- who signed it, and how

    @Test
    void missingForeignAndUnsignedTokensAreRefused() {
        refused("token is missing", hmac, null);
        refused("token is invalid", hmac, "");
        refused("token is invalid", hmac, token().sign(Algorithm.HMAC256(SECRET + "x")));
        refused("token is invalid", hmac, token().sign(Algorithm.HMAC512(SECRET)));
        refused("token is invalid", rsa, token().sign(rs256(rsa(2048))));
        refused("token is invalid", ec, token().sign(es256(ec("secp256r1"))));
    }

    @ParameterizedTest
    @ValueSource(strings = {"none", "None", "NONE", "nOnE", ""})
    void unsignedTokensAreRefusedHoweverTheySpellIt(String none) {
        String unsigned = encode("{'alg':'" + none + "'}") + "." + encode("{'sub':'ann'}") + ".";
        for (JwtAuthenticator authenticator : List.of(hmac, rsa, ec)) {
            refused("token is invalid", authenticator, unsigned);
            refused("token is invalid", authenticator, token().sign(Algorithm.none()));
            refused("token is invalid", authenticator, unsigned + "AAAA");
        }
        refused("token is invalid", hmac, signed("{'alg':'" + none + "'}", "{'sub':'ann'}"));
    }

    @Test
    void publicKeyUsedAsAnHmacSecretIsRefused() {
        for (KeyPair pair : List.of(RSA, EC)) {
            JwtAuthenticator authenticator = pair == RSA ? rsa : ec;
            byte[] der = pair.getPublic().getEncoded();
            String pem = "-----BEGIN PUBLIC KEY-----\n"
                    + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der) + "\n-----END PUBLIC KEY-----";
            for (byte[] known : List.of(der, bytes(pem), bytes(pem + "\n"))) {
                refused("token is invalid", authenticator, token().sign(Algorithm.HMAC256(known)));
                for (String claimed : List.of("RS256", "ES256")) { // the right name over an HMAC
                    refused(
                            "token is invalid",
                            authenticator,
                            signed("{'alg':'" + claimed + "'}", "{'sub':'ann'}", known));
                }
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"HS384", "HS512", "RS256", "ES256", "none", "hs256", "HS256 "})
    void algorithmThatWasChangedAfterSigningIsRefused(String other) {
        String token = token().sign(HS256);
        String rest = token.substring(token.indexOf('.'));
        refused("token is invalid", hmac, encode("{'alg':'" + other + "'}") + rest);
        refused("token is invalid", hmac, signed("{'alg':'" + other + "'}", "{'sub':'ann'}"));
    }

    @Test
    void tokensOfOneKindOfKeyAreRefusedByTheOther() {
        refused("token is invalid", rsa, token().sign(es256(EC)));
        refused("token is invalid", ec, token().sign(rs256(RSA)));
        refused("token is invalid", hmac, token().sign(rs256(RSA)));
        refused("token is invalid", rsa, token().sign(Algorithm.RSA512(null, (RSAPrivateKey) RSA.getPrivate())));
    }

    @Test
    void keyThatATokenBringsAlongIsNotUsed() {
        KeyPair evil = rsa(2048);
        RSAPublicKey key = (RSAPublicKey) evil.getPublic();
        Map<String, Object> header = Map.of(
                "jwk",
                Map.of(
                        "kty", "RSA",
                        "n", encode(key.getModulus().toByteArray()),
                        "e", encode(key.getPublicExponent().toByteArray())),
                "jku",
                "https://evil.example/keys",
                "x5u",
                "https://evil.example/cert",
                "kid",
                "../../dev/null");
        refused("token is invalid", rsa, token().withHeader(header).sign(rs256(evil)));
    }

    @Test
    void emptyAndZeroSignaturesAreRefused() {
        String hs = token().sign(HS256);
        refused("token is invalid", hmac, hs.substring(0, hs.lastIndexOf('.') + 1));
        String es = token().sign(es256(EC));
        String unsigned = es.substring(0, es.lastIndexOf('.') + 1);
        refused("token is invalid", ec, unsigned);
        refused("token is invalid", ec, unsigned + encode(new byte[64])); // r = s = 0: CVE-2022-21449
        String rs = token().sign(rs256(RSA));
        refused("token is invalid", rsa, rs.substring(0, rs.lastIndexOf('.') + 1) + encode(new byte[256]));
    }

    @Test
    void payloadThatWasChangedAfterSigningIsRefused() {
        String[] parts = token().sign(HS256).split("\\.", -1);
        refused("token is invalid", hmac, parts[0] + "." + encode("{'sub':'bob'}") + "." + parts[2]);
    }

    // ---------------------------------------------------------------- when

    @ParameterizedTest
    @CsvSource({
        // exp - now, leeway, accepted
        "1,0,true",
        "0,0,false",
        "-1,0,false",
        "-29,30,true",
        "-30,30,false",
        "-31,30,false",
    })
    void tokenIsAcceptedUntilItsExpiryAndTheLeewayAreOver(int exp, int leeway, boolean accepted) {
        JwtAuthenticator lenient = hmac.leeway(Duration.ofSeconds(leeway));
        String token = token().withExpiresAt(NOW.plusSeconds(exp)).sign(HS256);
        if (accepted) {
            assertEquals(
                    NOW.plusSeconds(exp + leeway), authenticate(lenient, token).expiresAt());
        } else {
            refused(ErrorCode.TOKEN_EXPIRED, "token is expired", lenient, token);
        }
    }

    @Test
    void expiryIsExactToTheMillisecond() {
        String token = token().withExpiresAt(NOW).sign(HS256);
        assertEquals("ann", authenticate(at(NOW.minusMillis(1), hmac), token).user());
        refused(ErrorCode.TOKEN_EXPIRED, "token is expired", at(NOW.plusMillis(1), hmac), token);
    }

    @ParameterizedTest
    @CsvSource({"0,0,true", "1,0,false", "30,30,true", "31,30,false"})
    void tokenIsRefusedBeforeItsTimeLessTheLeeway(int later, int leeway, boolean accepted) {
        JwtAuthenticator lenient = hmac.leeway(Duration.ofSeconds(leeway));
        Instant begin = NOW.plusSeconds(later);
        for (JWTCreator.Builder early : List.of(token().withNotBefore(begin), token().withIssuedAt(begin))) {
            String token = early.sign(HS256);
            if (accepted) {
                assertEquals("ann", authenticate(lenient, token).user());
            } else {
                refused("token is invalid", lenient, token);
            }
        }
    }

    @Test
    void leewayIsOfWholeSecondsAndNotNegative() {
        String token = token().withExpiresAt(NOW.plusSeconds(60)).sign(HS256);
        assertEquals(
                NOW.plusSeconds(61),
                authenticate(hmac.leeway(Duration.ofMillis(1_900)), token).expiresAt());
        assertThrows(IllegalArgumentException.class, () -> hmac.leeway(Duration.ofSeconds(-1)));
    }

    @ParameterizedTest
    @CsvSource({"5,true", "6,false"})
    void clocksMayDifferByFiveSecondsByDefault(int skew, boolean accepted) {
        JwtAuthenticator byDefault = at(NOW, JwtAuthenticator.hmac256(SECRET));
        String early = token().withIssuedAt(NOW.plusSeconds(skew)).sign(HS256);
        String late = token().withExpiresAt(NOW.minusSeconds(skew - 1)).sign(HS256);
        if (accepted) {
            assertEquals("ann", authenticate(byDefault, early).user());
            assertEquals("ann", authenticate(byDefault, late).user());
        } else {
            refused("token is invalid", byDefault, early);
            refused(ErrorCode.TOKEN_EXPIRED, "token is expired", byDefault, late);
        }
    }

    @Test
    void causeOfRefusalSaysWhyWithoutTheToken() {
        assertEquals(
                "iat is 2000 ms ahead of this server's clock; the leeway is 0 s",
                cause(hmac, token().withIssuedAt(NOW.plusSeconds(2)).sign(HS256)));
        assertEquals("iss is missing", cause(hmac.issuer("shop"), token().sign(HS256)));
        assertEquals(
                "iss is not what is required",
                cause(hmac.issuer("shop"), token().withIssuer("other").sign(HS256)));
        assertEquals("the signature is not of this key", cause(hmac, token().sign(Algorithm.HMAC256(SECRET + "x"))));
        assertEquals("the algorithm is not HS256", cause(hmac, token().sign(Algorithm.HMAC512(SECRET))));
        assertEquals("it is not a JSON Web Token as required (JWTDecodeException)", cause(hmac, "secret.token"));
    }

    private static String cause(JwtAuthenticator authenticator, String token) {
        RealtimeException refusal = assertThrows(RealtimeException.class, () -> authenticate(authenticator, token));
        Throwable cause = refusal.getCause();
        return cause == null ? "no cause" : String.valueOf(cause.getMessage());
    }

    @Test
    void foreignTokenIsNotToldThatItIsExpired() {
        String foreign = token().withExpiresAt(NOW.minusSeconds(9)).sign(Algorithm.HMAC256(SECRET + "x"));
        refused("token is invalid", hmac, foreign);
    }

    /** Else a token whose issuer counts milliseconds would be good for 50,000 years. */
    @ParameterizedTest
    @ValueSource(longs = {253_402_300_800L, 1_767_225_600_000L, 31_556_889_864_403_199L})
    void expiryInMillisecondsIsRefused(long exp) {
        refused(
                "exp is after the year 9999; it counts seconds",
                hmac.leeway(Duration.ofSeconds(30)),
                signed("{'alg':'HS256'}", "{'sub':'ann','exp':" + exp + "}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "9223372036854775807", // no Instant
                "-9223372036854775808",
                "9223372036854775808", // no long
                "99999999999999999999",
                "1e400", // no double
                "'4000000000'",
                "true",
                "{}",
                "[4000000000]",
            })
    void timesThatAreNoneAreRefused(String time) {
        for (String claim : List.of("exp", "nbf", "iat")) {
            refused("token is invalid", hmac, signed("{'alg':'HS256'}", "{'sub':'ann','" + claim + "':" + time + "}"));
        }
    }

    // ---------------------------------------------------------------- for whom

    @Test
    void issuerAndAudienceMustFit() {
        JwtAuthenticator strict = hmac.issuer("shop").audience("chat");
        String fits = token().withIssuer("shop").withAudience("chat", "mail").sign(HS256);
        assertEquals("ann", authenticate(strict, fits).user());
        for (JWTCreator.Builder unfit : List.of(
                token(),
                token().withIssuer("shop"),
                token().withAudience("chat"),
                token().withIssuer("evil").withAudience("chat"),
                token().withIssuer("Shop").withAudience("chat"),
                token().withIssuer("shop").withAudience("mail"),
                token().withIssuer("shop").withAudience("chat "),
                token().withIssuer("shop").withAudience(""))) {
            refused("token is invalid", strict, unfit.sign(HS256));
        }
        for (String audience : List.of("null", "7", "{'chat':'chat'}", "[['chat']]", "'chat mail'")) {
            refused(
                    "token is invalid",
                    strict,
                    signed("{'alg':'HS256'}", "{'sub':'ann','iss':'shop','aud':" + audience + "}"));
        }
    }

    @Test
    @SuppressWarnings("NullAway") // what a setting that is missing gives
    void issuerOrAudienceThatIsMissingInConfigurationDoesNotMeanAny() {
        assertThrows(NullPointerException.class, () -> hmac.issuer(null));
        assertThrows(NullPointerException.class, () -> hmac.audience(null));
    }

    // ---------------------------------------------------------------- the user

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{'sub':null}", "{'sub':123}", "{'sub':true}", "{'sub':{'a':1}}", "{'sub':['ann']}"})
    void subjectThatIsNoStringIsRefused(String payload) {
        refused("token has no sub that is a string", hmac, signed("{'alg':'HS256'}", payload));
    }

    @ParameterizedTest
    @CsvSource({
        "'',is empty",
        "'\\ud800',holds a control character",
        "'ann\\nERROR forged',holds a control character",
        "'\\r',holds a control character",
        "'a\\u0000b',holds a control character",
        "'\\u001b[31mred',holds a control character",
        "'\\u0085next line',holds a control character",
        "'\\u2028separator',holds a control character",
    })
    void subjectThatIsNoNameIsRefused(String subject, String fault) {
        refused("sub " + fault, hmac, signed("{'alg':'HS256'}", "{'sub':'" + subject + "'}"));
    }

    @Test
    void subjectIsAtMost255CharactersLong() {
        String longest = "é".repeat(255);
        assertEquals(
                longest,
                authenticate(hmac, token().withSubject(longest).sign(HS256)).user());
        refused(
                "sub is longer than 255 characters",
                hmac,
                token().withSubject(longest + "x").sign(HS256));
    }

    // ---------------------------------------------------------------- what is no token

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null", // java-jwt 4.6.2: a NullPointerException
                "[]",
                "1",
                "",
                "{",
                "{'sub':'ann'} x",
                "{'sub':'ann'}{'sub':'bob'}",
                "{'sub':'ann','sub':'bob'}", // another reader may have taken the first
                "{'sub':'ann','s\\u0075b':'bob'}",
                "{'exp':1,'sub':'ann','exp':4000000000}",
                "{'sub':'ann',}",
                "{sub:'ann'}",
                "\u0000",
            })
    void payloadThatIsNotOneObjectOfDistinctClaimsIsRefused(String payload) {
        refused("token is invalid", hmac, signed("{'alg':'HS256'}", payload));
    }

    @ParameterizedTest
    @ValueSource(strings = {"null", "[]", "1", "", "{}", "{'alg':null}", "{'alg':1}", "{'alg':['HS256']}"})
    void headerThatNamesNoAlgorithmIsRefused(String header) {
        refused("token is invalid", hmac, signed(header, "{'sub':'ann'}"));
    }

    /** RFC 7515 section 4.1.11: what must be understood and is not. */
    @Test
    void criticalExtensionIsRefused() {
        refused("token is invalid", hmac, signed("{'alg':'HS256','crit':['b64'],'b64':false}", "{'sub':'ann'}"));
    }

    @Test
    void nestingAndNumbersThatCostMuchAreRefused() {
        String deep = "[".repeat(2_000) + "]".repeat(2_000);
        refused("token is invalid", hmac, signed("{'alg':'HS256'}", "{'sub':'ann','x':" + deep + "}"));
        String digits = "9".repeat(5_000);
        refused("token is invalid", hmac, signed("{'alg':'HS256'}", "{'sub':'ann','x':" + digits + "}"));
        refused("token is invalid", hmac, signed("{'alg':'HS256'}", "{'sub':'ann','exp':" + digits + "}"));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                ".",
                "..",
                "...",
                "a.b.c",
                "no.jwt.atall",
                "%%%.%%%.%%%",
                "é.é.é",
                "\ud800.\ud800.\ud800",
                "\u0000",
                "bnVsbA.bnVsbA.bnVsbA",
            })
    void garbageIsRefused(String garbage) {
        for (JwtAuthenticator authenticator : List.of(hmac, rsa, ec)) {
            refused("token is invalid", authenticator, garbage);
        }
        refused("token is invalid", hmac, token().sign(HS256) + "." + garbage);
        refused("token is invalid", hmac, " " + token().sign(HS256));
        refused("token is invalid", hmac, token().sign(HS256) + "\n");
    }

    @Test
    void tokenLongerThan8192CharactersIsRefusedUnread() {
        String longest = "";
        String tooLong = "";
        for (int pad = 6_000; tooLong.isEmpty(); pad++) {
            String token = token().withClaim("x", "x".repeat(pad)).sign(HS256);
            longest = token.length() <= 8_192 ? token : longest;
            tooLong = token.length() > 8_192 ? token : "";
        }
        assertEquals("ann", authenticate(hmac, longest).user());
        refused("token is longer than 8192 characters", hmac, tooLong);
        refused("token is longer than 8192 characters", hmac, "x".repeat(8_193)); // what is read is "invalid"
    }

    // ---------------------------------------------------------------- keys

    @Test
    void weakKeysAreRefusedWithoutShowingThem() {
        String weak = "hunter2-hunter2";
        IllegalArgumentException failure =
                assertThrows(IllegalArgumentException.class, () -> JwtAuthenticator.hmac256(weak));
        assertTrue(String.valueOf(failure).contains("15 bytes"), String.valueOf(failure));
        assertFalse(String.valueOf(failure).contains("hunter"), String.valueOf(failure));
        RSAPublicKey small = (RSAPublicKey) rsa(1024).getPublic();
        assertThrows(IllegalArgumentException.class, () -> JwtAuthenticator.rsa256(small));
        ECPublicKey other = (ECPublicKey) ec("secp384r1").getPublic();
        assertThrows(IllegalArgumentException.class, () -> JwtAuthenticator.ecdsa256(other));
    }

    @Test
    void secretIsCopied() {
        byte[] secret = bytes(SECRET);
        JwtAuthenticator authenticator = JwtAuthenticator.hmac256(secret);
        secret[0]++;
        assertEquals("ann", authenticate(authenticator, token().sign(HS256)).user());
    }

    @Test
    void noTextHoldsASecretOrAToken() {
        String token = token().sign(HS256);
        assertFalse(credentials(token).toString().contains(token));
        assertFalse(hmac.toString().contains(SECRET));
    }

    // ---------------------------------------------------------------- helpers

    private static JwtAuthenticator at(Instant now, JwtAuthenticator authenticator) {
        return authenticator.clock(Clock.fixed(now, ZoneOffset.UTC));
    }

    private static JWTCreator.Builder token() {
        return JWT.create().withSubject("ann");
    }

    /** A token of any content, with single quotes for double ones, signed with HS256 whatever its header says. */
    private static String signed(String header, String payload) {
        return signed(header, payload, bytes(SECRET));
    }

    private static String signed(String header, String payload, byte[] secret) {
        String content = encode(header) + "." + encode(payload);
        try {
            Mac mac = Mac.getInstance("HmacSHA256");
            Key key = new SecretKeySpec(secret, "HmacSHA256");
            mac.init(key);
            return content + "." + encode(mac.doFinal(bytes(content)));
        } catch (GeneralSecurityException impossible) {
            throw new AssertionError(impossible);
        }
    }

    private static String encode(String json) {
        return encode(bytes(json.replace('\'', '"')));
    }

    private static String encode(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static Algorithm rs256(KeyPair pair) {
        return Algorithm.RSA256(null, (RSAPrivateKey) pair.getPrivate());
    }

    private static Algorithm es256(KeyPair pair) {
        return Algorithm.ECDSA256(null, (ECPrivateKey) pair.getPrivate());
    }

    private static KeyPair rsa(int bits) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("RSA");
            generator.initialize(bits);
            return generator.generateKeyPair();
        } catch (GeneralSecurityException impossible) {
            throw new AssertionError(impossible);
        }
    }

    private static KeyPair ec(String curve) {
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec(curve));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException impossible) {
            throw new AssertionError(impossible);
        }
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

    private static void refused(String why, JwtAuthenticator authenticator, @Nullable String token) {
        refused(ErrorCode.UNAUTHORIZED, why, authenticator, token);
    }

    /** The whole text is compared: it says which rule failed, and nothing of the token. */
    private static void refused(ErrorCode code, String why, JwtAuthenticator authenticator, @Nullable String token) {
        RealtimeException refusal =
                assertThrows(RealtimeException.class, () -> authenticator.authenticate(credentials(token)));
        assertEquals(why, refusal.getMessage());
        assertEquals(code, refusal.code());
        Throwable cause = refusal.getCause(); // for the log
        if (cause != null && token != null && token.length() > 8) {
            assertFalse(cause.toString().contains(token), cause.toString());
            assertNull(cause.getCause(), "its text may quote the token");
        }
    }
}
