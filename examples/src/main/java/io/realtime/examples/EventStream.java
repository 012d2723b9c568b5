package io.realtime.examples;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * A parser that reads server-sent events (HTML standard, section 9.2) from bytes, wherever these are split. It returns
 * only their data; names, ids and comments are skipped. For one thread at a time.
 */
final class EventStream {
    private final int limit;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private final StringBuilder data = new StringBuilder();
    private boolean first = true;
    private boolean afterReturn;

    /**
     * Creates a parser.
     *
     * @param limit the most bytes of a line, and the most characters of an event's data
     */
    EventStream(int limit) {
        this.limit = limit;
    }

    /**
     * Parses what has arrived, and returns the data of each event that is complete now.
     *
     * @throws IllegalStateException if a line or an event is longer than the limit; the parser cannot be used after
     *     that
     */
    List<String> read(ByteBuffer bytes) {
        List<String> events = new ArrayList<>();
        while (bytes.hasRemaining()) {
            byte next = bytes.get();
            if (next == '\n' && afterReturn) {
                // The second half of a line's end.
                afterReturn = false;
            } else if (next == '\n' || next == '\r') {
                afterReturn = next == '\r';
                endLine(events);
            } else {
                afterReturn = false;
                requireRoom(line.size());
                line.write(next);
            }
        }
        return events;
    }

    private void endLine(List<String> events) {
        // Only whole lines are decoded: a character may arrive in two parts.
        String text = line.toString(StandardCharsets.UTF_8);
        line.reset();
        if (first && text.startsWith("\uFEFF")) {
            text = text.substring(1);
        }
        first = false;
        if (text.isEmpty() && data.length() > 0) {
            events.add(data.substring(0, data.length() - 1));
            data.setLength(0);
        } else if (text.equals("data") || text.startsWith("data:")) {
            int begin = text.startsWith("data: ") ? 6 : 5;
            String value = text.substring(Math.min(begin, text.length()));
            requireRoom(data.length() + value.length());
            data.append(value).append('\n');
        }
    }

    private void requireRoom(int taken) {
        if (taken >= limit) {
            throw new IllegalStateException("an event is longer than " + limit);
        }
    }
}
