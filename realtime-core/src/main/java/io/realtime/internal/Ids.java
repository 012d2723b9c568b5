package io.realtime.internal;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Random;

/** Random identifiers. Production passes a {@link java.security.SecureRandom}, a simulation a seeded random. */
public final class Ids {
    /** The number of characters of a name. */
    public static final int NAME = 12;

    private static final Base64.Encoder BASE64 = Base64.getUrlEncoder().withoutPadding();

    private Ids() {}

    /** Returns 144 random bits as 24 characters, which cannot be guessed. */
    public static String secret(Random random) {
        return random(random, 18);
    }

    /** Returns 72 random bits as 12 characters: unique enough for a name, too few for a secret. */
    public static String name(Random random) {
        return random(random, 9);
    }

    /** Returns 12 characters that depend on the secret but do not reveal it. */
    public static String digest(String secret) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(secret.getBytes(StandardCharsets.UTF_8));
            return BASE64.encodeToString(hash).substring(0, 12);
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException("every JVM has SHA-256", impossible);
        }
    }

    private static String random(Random random, int count) {
        byte[] bytes = new byte[count];
        random.nextBytes(bytes);
        return BASE64.encodeToString(bytes);
    }
}
