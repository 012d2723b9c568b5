package io.realtime.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import org.junit.jupiter.api.Test;

class IdsTest {
    @Test
    void secretHas144BitsAndANameHas72() {
        var random = new Random(1);
        String secret = Ids.secret(random);
        assertTrue(secret.matches("[A-Za-z0-9_-]{24}"), secret);
        String name = Ids.name(random);
        assertTrue(name.matches("[A-Za-z0-9_-]{12}"), name);
        assertNotEquals(secret, Ids.secret(random));
    }

    @Test
    void sameSeedGivesTheSameIds() {
        assertEquals(Ids.secret(new Random(1)), Ids.secret(new Random(1)));
    }

    @Test
    void digestDependsOnTheSecretAndDoesNotTellIt() {
        String secret = Ids.secret(new Random(1));
        String digest = Ids.digest(secret);
        assertEquals(12, digest.length());
        assertEquals(digest, Ids.digest(secret));
        assertNotEquals(digest, Ids.digest(secret + "x"));
        assertFalse(secret.contains(digest));
    }
}
