package io.realtime.examples;

import io.realtime.RealtimeException;
import io.realtime.examples.Script.Piece;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** A writer with a spare one, which is used if the first cannot begin. Safe for use by many threads. */
final class Scripts {
    private static final Logger LOG = LoggerFactory.getLogger(Scripts.class);

    private final ScriptWriter writer;
    private final ScriptWriter spare;

    Scripts(ScriptWriter writer, ScriptWriter spare) {
        this.writer = writer;
        this.spare = spare;
    }

    /**
     * Writes a script. If the spare writer writes it, the first piece is a notice that says so and why.
     *
     * @param out receives each piece, as described for {@link ScriptWriter#write}
     * @throws RealtimeException if the writer cannot continue after the first word
     * @throws InterruptedException if the thread is interrupted
     */
    void write(String topic, Consumer<Piece> out) throws InterruptedException {
        boolean[] begun = {false};
        try {
            writer.write(topic, words -> {
                // Set before the piece is passed on: an exception of the reader is not a failure of the writer.
                begun[0] = true;
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
