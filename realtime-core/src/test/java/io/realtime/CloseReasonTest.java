package io.realtime;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Random;
import org.junit.jupiter.api.Test;

class CloseReasonTest {
    private static final String SMILE = "\uD83D\uDE00"; // four bytes, two chars

    @Test
    void textOf123BytesIsKeptAndALongerOneCut() {
        String longest = "x".repeat(123);
        assertEquals(longest, new CloseReason(1000, longest).text());
        assertEquals(longest, new CloseReason(1000, longest + "y").text());
    }

    @Test
    void textIsCutAtACharacterNotInsideOne() {
        assertEquals("é".repeat(61), new CloseReason(1000, "é".repeat(62)).text());
        assertEquals("x" + "é".repeat(61), new CloseReason(1000, "x" + "é".repeat(62)).text());
        assertEquals("€".repeat(41), new CloseReason(1000, "€".repeat(42)).text());
        assertEquals("x".repeat(120), new CloseReason(1000, "x".repeat(120) + SMILE).text());
        assertEquals("x".repeat(119) + SMILE, new CloseReason(1000, "x".repeat(119) + SMILE + "y").text());
        assertEquals("x".repeat(122), new CloseReason(1000, "x".repeat(122) + SMILE).text());
        assertEquals(SMILE.repeat(30), new CloseReason(1000, SMILE.repeat(40)).text());
    }

    @Test
    void anyTextBecomesItsLongestPrefixThatFits() {
        long seed = 7;
        var random = new Random(seed);
        String[] alphabet = {"x", "é", "€", SMILE};
        for (int round = 0; round < 1_000; round++) {
            var text = new StringBuilder();
            for (int i = random.nextInt(150); i > 0; i--) {
                text.append(alphabet[random.nextInt(alphabet.length)]);
            }
            String cut = new CloseReason(1000, text.toString()).text();
            String about = "seed " + seed + " round " + round;
            assertTrue(text.toString().startsWith(cut), about);
            assertTrue(bytes(cut) <= 123, about);
            if (cut.length() < text.length()) {
                int next = text.codePointAt(cut.length());
                assertTrue(bytes(cut + Character.toString(next)) > 123, about);
            }
        }
    }

    @Test
    void hugeTextIsCutQuickly() {
        String huge = "x".repeat(4_000_000);
        CloseReason reason = assertTimeoutPreemptively(Duration.ofSeconds(20), () -> new CloseReason(1000, huge));
        assertEquals("x".repeat(123), reason.text());
    }

    @Test
    void itsStringIsTheCodeAndTheText() {
        assertEquals("1000", new CloseReason(1000, "").toString());
        assertEquals("4005 go away", new CloseReason(CloseReason.KICKED, "go away").toString());
    }

    private static int bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8).length;
    }

    @Test
    void textPrintsNothingThatATerminalActsOn() {
        CloseReason hostile = new CloseReason(1000, "a\u009b31m\nb");
        assertEquals("1000 a 31m b", hostile.toString());
        assertEquals("a\u009b31m\nb", hostile.text());
    }
}
