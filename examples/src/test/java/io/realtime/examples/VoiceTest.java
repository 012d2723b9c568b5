package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.examples.Reception.Report;
import io.realtime.examples.Voice.Frame;
import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class VoiceTest {
    @Test
    void frameIsItsNumberItsTimeAndItsSamples() {
        Frame frame = new Frame(7, -9, ByteBuffer.wrap(new byte[] {1, 2}));

        ByteBuffer bytes = frame.bytes();

        assertEquals(
                ByteBuffer.allocate(14)
                        .putInt(7)
                        .putLong(-9)
                        .put((byte) 1)
                        .put((byte) 2)
                        .flip(),
                bytes);
        assertEquals(frame, Frame.of(bytes));
    }

    @Test
    void frameWithoutAHeaderIsRefused() {
        assertThrows(IllegalArgumentException.class, () -> Frame.of(ByteBuffer.allocate(11)));
        assertEquals(new Frame(0, 0, ByteBuffer.allocate(0)), Frame.of(ByteBuffer.allocate(12)));
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 0, 0", "1, 0, 0, 1", "0, 1, 0, 1", "0, 0, 1, 1"})
    void exitCodeSaysWhetherEachFrameWasHeardOnceAndInOrder(int lost, int doubled, int outOfOrder, int code) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Terminal terminal = new Terminal(
                new BufferedReader(new StringReader("")),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                name -> null);
        Report report = new Report(50, lost, doubled, outOfOrder, 0, 0);

        assertEquals(code, VoiceDemo.conclude(report, terminal));

        assertEquals("all: " + report, out.toString(StandardCharsets.UTF_8).strip());
        assertEquals(
                code == 0 ? "" : "voice: not every frame was heard, once and in order",
                err.toString(StandardCharsets.UTF_8).strip());
    }
}
