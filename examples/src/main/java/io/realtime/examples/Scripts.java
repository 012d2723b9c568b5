package io.realtime.examples;

import io.realtime.RealtimeException;
import io.realtime.examples.Script.Piece;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Writes with one writer, and with another where the first cannot even begin. Safe for use by many threads. */
final class Scripts {
    private static final Logger LOG = LoggerFactory.getLogger(Scripts.class);

    private final ScriptWriter writer;
    private final ScriptWriter spare;

    Scripts(ScriptWriter writer, ScriptWriter spare) {
        this.writer = writer;
        this.spare = spare;
    }

    /**
     * Writes a script. When the spare one writes it, the first piece is a notice that says so and why.
     *
     * @param out takes each piece, as {@link ScriptWriter#write} says
     * @throws RealtimeException when it cannot go on after the first word
     * @throws InterruptedException when the thread is interrupted
     */
    void write(String topic, Consumer<Piece> out) throws InterruptedException {
        boolean[] begun = {false};
        try {
            writer.write(topic, words -> {
                begun[0] = true; // before it is handed over: what the reader throws is no failure of the writer
                out.accept(Piece.text(words));
            });
            return;
        } catch (RealtimeException failed) {
            if (begun[0]) {
                throw failed;
            }
            LOG.warn("the spare writer writes: {}", failed.getMessage());
            out.accept(Piece.notice("This is a sample text, because " + failed.getMessage() + "."));
        }
        spare.write(topic, words -> out.accept(Piece.text(words)));
    }
}
