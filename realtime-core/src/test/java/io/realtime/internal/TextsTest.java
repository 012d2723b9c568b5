package io.realtime.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.api.Test;

class TextsTest {
    @Test
    void lineHasNothingThatATerminalActsOn() {
        String controls = "\u0000\u0007\n\r\u001b\u007f\u0085\u009b\u2028\u2029\u202e\u200f\ufeff";
        assertEquals("a" + " ".repeat(controls.length()) + "b", Texts.line("a" + controls + "b"));
        assertEquals("a  b", Texts.line("a\u009b\ud800b"));
        String printable = "Zürich, 서울, São Paulo \ud83d\ude00";
        assertEquals(printable, Texts.line(printable));
    }

    @Test
    void longLineIsCutAtItsEnd() {
        assertEquals("abcde", Texts.line("abcde", 5));
        assertEquals("abcd…", Texts.line("abcdef", 5));
        assertEquals("abc …", Texts.line("abc\ud83d\ude00f", 5));
    }

    @Test
    void endsKeepBothEnds() {
        assertEquals("abcdefghi", Texts.ends("abcdefghi", 9));
        assertEquals("abc…fghij", Texts.ends("abcdefghij", 9));
    }
}
