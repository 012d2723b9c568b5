package io.realtime.internal.wire;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.PayloadException;
import java.nio.charset.StandardCharsets;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class Utf8Test {
    @ParameterizedTest
    @ValueSource(longs = {0, 1, 9, 10, 99, 100, 12_345, 9_007_199_254_740_991L, Long.MAX_VALUE})
    void numberIsWrittenInDigits(long number) {
        assertEquals(
                "a" + number + "b", new Utf8().add("a").add(number).add("b").toString());
    }

    @Test
    void truncationForgetsTheRest() {
        Utf8 text = new Utf8().add("kept");
        int kept = text.length();
        text.add("x".repeat(1000)).truncate(kept);
        assertEquals("kept!", text.add("!").toString());
    }

    @Test
    void itsBytesAreACopy() {
        Utf8 text = new Utf8().add("ab");
        text.bytes()[0] = 'x';
        assertEquals("ab", text.toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "\ud83d",
                "\ude00",
                "a\ud83d",
                "\ud83da",
                "\ude00\ud83d",
                "\ud83d\ud83d\ude00",
                "é\ud83d\ude00\ude00"
            })
    void halfASurrogatePairIsRefused(String half) {
        Utf8 text = new Utf8();
        assertThrows(PayloadException.class, () -> text.add(half));
        assertThrows(PayloadException.class, () -> text.write(half.toCharArray(), 0, half.length()));
    }

    @Test
    void halfOfAPairThatIsCutIsRefused() {
        Utf8 text = new Utf8();
        assertThrows(PayloadException.class, () -> text.write("\ud83d\ude00", 0, 1));
        assertThrows(PayloadException.class, () -> text.write("\ud83d\ude00", 1, 1));
        assertThrows(PayloadException.class, () -> text.write('\ud83d'));
    }

    @Test
    void whateverIsWrittenInPartsIsTheUtf8OfTheWhole() {
        String[] letters = {
            "a",
            "~",
            "\u007f",
            "\u0080",
            "\u00e9",
            "\u07ff",
            "\u20ac",
            "\ud7ff",
            "\ue000",
            "\uffff",
            "\ud800\udc00",
            "\ud83d\ude00",
            "\udbff\udfff",
            "\n",
            "\""
        };
        for (long seed = 0; seed < 2000; seed++) {
            Random random = new Random(seed);
            Utf8 text = new Utf8();
            StringBuilder whole = new StringBuilder();
            for (int parts = random.nextInt(20); parts > 0; parts--) {
                StringBuilder part = new StringBuilder();
                for (int i = random.nextInt(random.nextInt(10) == 0 ? 400 : 20); i > 0; i--) {
                    part.append(letters[random.nextInt(random.nextBoolean() ? 2 : letters.length)]);
                }
                whole.append(part);
                switch (random.nextInt(3)) {
                    case 0 -> text.add(part.toString());
                    case 1 -> text.write("<" + part + ">", 1, part.length());
                    default -> {
                        char[] chars = part.toString().toCharArray();
                        text.write(chars, 0, chars.length);
                    }
                }
                text.write('/');
                whole.append('/');
            }
            assertArrayEquals(whole.toString().getBytes(StandardCharsets.UTF_8), text.bytes(), "seed " + seed);
        }
    }
}
