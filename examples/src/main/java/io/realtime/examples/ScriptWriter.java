package io.realtime.examples;

import io.realtime.RealtimeException;
import java.util.function.Consumer;

/** A writer of scripts. Safe for use by many threads, each of which writes its own script. */
interface ScriptWriter {
    /**
     * Writes a script piece by piece, and returns when it is complete. A piece is about a word. All pieces, joined
     * without separators, are the script.
     *
     * @param reader receives each piece, on the calling thread, and may block. It stops the writing by an
     *     exception, which is passed on
     * @throws RealtimeException if the writer cannot begin, or cannot continue
     * @throws InterruptedException if the thread is interrupted; thrown at once, at any point of the writing
     */
    void write(String topic, Consumer<String> reader) throws InterruptedException;
}
