package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.examples.Script.Piece;
import io.realtime.examples.Script.Topic;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class ScriptsTest {
    private final RealtimeException broken = new RealtimeException(ErrorCode.of("broken"), "it is broken");
    private static final ScriptWriter SPARE = (topic, reader) -> reader.accept("spare " + topic);

    private final List<Piece> pieces = new ArrayList<>();

    @Test
    void writerWritesWhenItCan() throws InterruptedException {
        ScriptWriter writer = (topic, reader) -> {
            reader.accept(topic);
            reader.accept(" is nice");
        };

        new Scripts(writer, SPARE).write("tea", pieces::add);

        assertEquals(List.of(Piece.text("tea"), Piece.text(" is nice")), pieces);
    }

    @Test
    void writerThatCannotBeginIsReplacedAndReaderIsToldWhy() throws InterruptedException {
        ScriptWriter writer = (topic, reader) -> {
            throw broken;
        };

        new Scripts(writer, SPARE).write("tea", pieces::add);

        assertEquals(
                List.of(Piece.notice("This is a sample text, because it is broken."), Piece.text("spare tea")), pieces);
    }

    @Test
    void writerThatFailsAfterAWordIsNotReplaced() {
        ScriptWriter writer = (topic, reader) -> {
            reader.accept("tea ");
            throw broken;
        };

        RealtimeException told =
                assertThrows(RealtimeException.class, () -> new Scripts(writer, SPARE).write("tea", pieces::add));

        assertSame(broken, told);
        assertEquals(List.of(Piece.text("tea ")), pieces);
    }

    @Test
    void readerThatStopsAtFirstWordGetsNoReplacement() {
        RealtimeException cancelled = new RealtimeException(ErrorCode.of("cancelled"), "cancelled");

        RealtimeException told = assertThrows(
                RealtimeException.class,
                () -> new Scripts(SPARE, SPARE).write("tea", piece -> {
                    pieces.add(piece);
                    throw cancelled;
                }));

        assertSame(cancelled, told);
        assertEquals(1, pieces.size());
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", " \n"})
    @SuppressWarnings("NullAway") // what an absent field becomes
    void topicIsRequired(String topic) {
        IllegalArgumentException refused = assertThrows(IllegalArgumentException.class, () -> new Topic(topic));

        assertEquals("topic is required", refused.getMessage());
    }

    @Test
    void topicHasALongestLength() {
        assertEquals(200, new Topic("x".repeat(200)).topic().length());
        assertThrows(IllegalArgumentException.class, () -> new Topic("x".repeat(201)));
    }
}
