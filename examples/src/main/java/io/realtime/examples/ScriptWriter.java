package io.realtime.examples;

import io.realtime.RealtimeException;
import java.util.function.Consumer;

/** Writes scripts. Safe for use by many threads, each of which writes its own. */
interface ScriptWriter {
    /**
     * Writes a script piece by piece and returns when it is whole. A piece is about a word; all of them together, with
     * nothing put between, are the script.
     *
     * @param reader takes each piece, on the calling thread, and may block. It says stop by throwing, which ends the
     *     writing and is passed on
     * @throws RealtimeException when it cannot begin, or cannot go on
     * @throws InterruptedException when the thread is interrupted, at once and wherever the writing stands
     */
    void write(String topic, Consumer<String> reader) throws InterruptedException;
}
