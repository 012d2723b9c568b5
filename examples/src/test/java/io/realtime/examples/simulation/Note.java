package io.realtime.examples.simulation;

import io.realtime.ErrorCode;
import io.realtime.Event;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** A message of a simulation: who sent it, which of that one's it is, and what makes it long. */
record Note(String by, int number, String filler) {
    static final Event<Note> SAY = Event.of("say", Note.class);
    static final Event<Note> SAID = Event.of("said", Note.class);
    static final Event<byte[]> SAY_BYTES = Event.of("say.bytes", byte[].class);
    static final Event<ByteBuffer> SAID_BYTES = Event.of("said.bytes", ByteBuffer.class);
    static final ErrorCode REFUSED = ErrorCode.of("refused");

    static Note of(String by, int number) {
        return new Note(by, number, number % 17 == 0 ? "x".repeat(400) : "");
    }

    static Note of(byte[] bytes) {
        String text = new String(bytes, StandardCharsets.UTF_8).stripTrailing();
        int dash = text.lastIndexOf('-');
        return of(text.substring(0, dash), Integer.parseInt(text.substring(dash + 1)));
    }

    /** Returns what names the message. */
    String text() {
        return by + "-" + number;
    }

    byte[] bytes() {
        return (text() + " ".repeat(filler.length())).getBytes(StandardCharsets.UTF_8);
    }

    /** Some messages travel as bytes. */
    boolean isBinary() {
        return number % 3 == 0;
    }

    /** Some messages are refused by their handler, which their sender must be told. */
    boolean isRefused() {
        return number % 11 == 0;
    }

    /** Some messages are passed on to all but their sender, and some to managed sessions alone. */
    boolean leavesSenderOut() {
        return number % 7 == 0;
    }

    boolean isForManaged() {
        return number % 13 == 0;
    }
}
