package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EventStreamTest {
    private final EventStream events = new EventStream(64);

    private List<String> read(String text) {
        return events.read(ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\n", "\r\n", "\r"})
    void eventEndsWithAnEmptyLineHoweverLinesEnd(String end) {
        assertEquals(List.of("one", "two"), read("data: one||data: two||".replace("|", end)));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '>',
            ignoreLeadingAndTrailingWhitespace = false,
            value = {
                "data:a||>a",
                "data:  a||>' a'",
                "data: a: b||>a: b",
                "data: a|data: b||>a|b",
                "data||>''",
                ": comment|data: a|: comment||>a",
                "event: ping|id: 7|retry: 9|data: a||>a",
                "database: b|data: a||>a",
            })
    void fieldsOtherThanDataAreIgnored(String sent, String data) {
        assertEquals(List.of(data.replace('|', '\n')), read(sent.replace('|', '\n')));
    }

    @ParameterizedTest
    @ValueSource(strings = {"\n\n", ": keep-alive\n\n", "event: ping\n\n", "data: unfinished\n", "data: unfinished"})
    void eventNeedsDataAndAnEmptyLine(String sent) {
        assertEquals(List.of(), read(sent));
    }

    @Test
    void byteOrderMarkAtTheBeginningIsSkipped() {
        assertEquals(List.of("a", "\uFEFFb"), read("\uFEFFdata: a\n\ndata: \uFEFFb\n\n"));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5, 7})
    void eventsAreReadFromAnyChunks(int size) {
        byte[] all = ": hi\r\n\r\ndata: Grüße \uD83C\uDF75\r\n\r\ndata: zwei\rdata: drei\n\n"
                .getBytes(StandardCharsets.UTF_8);
        List<String> read = new ArrayList<>();
        for (int from = 0; from < all.length; from += size) {
            read.addAll(events.read(ByteBuffer.wrap(all, from, Math.min(size, all.length - from))));
        }
        assertEquals(List.of("Grüße \uD83C\uDF75", "zwei\ndrei"), read);
    }

    @Test
    void lineUpToTheLimitIsReadAndOneByteMoreIsNot() {
        assertEquals(List.of("x".repeat(58)), read("data: " + "x".repeat(58) + "\n\n"));
        assertThrows(IllegalStateException.class, () -> read(":" + "x".repeat(64)));
    }

    @Test
    void manyShortLinesDoNotMakeAnEventLongerThanTheLimit() {
        assertThrows(IllegalStateException.class, () -> read("data: 123456789\n".repeat(7)));
    }
}
