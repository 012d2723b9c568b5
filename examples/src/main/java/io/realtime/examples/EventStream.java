package io.realtime.examples;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads server-sent events (HTML standard, section 9.2) out of bytes, wherever these are cut. Only their data: names, ids
 * and comments are skipped. For one thread at a time.
 */
final class EventStream {
    private final int limit;
    private final ByteArrayOutputStream line = new ByteArrayOutputStream();
    private final StringBuilder data = new StringBuilder();
    private boolean first = true;
    private boolean afterReturn;

    /** Reads lines of at most so many bytes, and events whose data has at most so many characters. */
    EventStream(int limit) {
        this.limit = limit;
    }

    /**
     * Takes what has arrived, and returns the data of each event that it completes.
     *
     * @throws IllegalStateException when a line or an event is longer than the limit; it cannot be used any more then
     */
    List<String> read(ByteBuffer bytes) {
        List<String> events = new ArrayList<>();
        while (bytes.hasRemaining()) {
            byte next = bytes.get();
            if (next == '\n' && afterReturn) {
                afterReturn = false; // the second half of a line's end
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
        String text = line.toString(StandardCharsets.UTF_8); // whole lines only: a character may come in two halves
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
