package io.realtime.benchmarks;

import com.google.gson.JsonElement;
import io.realtime.CloseReason;
import io.realtime.gson.GsonCodec;
import io.realtime.internal.websocket.FrameException;
import io.realtime.internal.websocket.FrameReader;
import io.realtime.internal.websocket.FrameWriter;
import io.realtime.internal.websocket.Opcode;
import io.realtime.internal.websocket.Role;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Payload;
import io.realtime.internal.wire.Payloads;
import io.realtime.spi.WireMessage;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/**
 * The cost of the envelope: from a payload to the frame that is sent, and from the masked bytes of a client's frame to
 * the payload that its handler gets.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class WireBenchmark {
    private static final int LONGEST = 1 << 16;
    private static final String TYPE = "chat.said";
    private static final String ROOM = "chat:42";
    private static final Payload SAID = new Payloads(GsonCodec.create()).of(Said.class);
    private static final long TIME = 1_760_000_000_000L;

    /** The size of the payload, in bytes of JSON. */
    @Param({"120", "1024"})
    public int payload = 120;

    private final Heard heard = new Heard();
    private final FrameReader reader = new FrameReader(Role.SERVER, LONGEST, heard);
    private Said said;
    private byte[] received;
    private String text;

    /** A typical payload of an application. */
    record Said(String text, long at, boolean edited, List<String> tags) {}

    /** Creates what is sent and what is received. */
    @Setup
    public void fill() {
        int rest = payload - encoded("").length();
        said = said("m".repeat(rest));
        WireMessage frame = Outgoing.of(TYPE)
                .room(ROOM)
                .ref("r-1234567")
                .seq(1234)
                .data(said, SAID)
                .frame();
        text = frame.asText();
        received = FrameWriter.frame(Role.CLIENT, Opcode.TEXT, frame.payload()).array();
    }

    private static Said said(String words) {
        return new Said(words, TIME, false, List.of("news", "team"));
    }

    private static String encoded(String words) {
        String all = Outgoing.of("t").data(said(words), SAID).frame().asText();
        return all.substring("{\"type\":\"t\",\"data\":".length(), all.length() - 1);
    }

    /** Encodes an event that is in no log. */
    @Benchmark
    public WireMessage encode() {
        return outgoing().frame();
    }

    /** Encodes an event that gets an offset in a log. */
    @Benchmark
    public WireMessage encodeForLog() {
        Outgoing message = outgoing();
        return message.frame(123_456);
    }

    private Outgoing outgoing() {
        return Outgoing.of(TYPE).room(ROOM).from("user-1").ts(TIME).data(said, SAID);
    }

    /** Runs the transport's part: from bytes to text. */
    @Benchmark
    public String unmask() throws FrameException {
        reader.read(ByteBuffer.wrap(received));
        return heard.take();
    }

    /** Runs an I/O thread's part: it checks the frame and reads no payload. */
    @Benchmark
    public Envelope parse() {
        return Envelope.parse(text);
    }

    /** Decodes bytes to a payload of a known type. */
    @Benchmark
    public Said decodeTyped() throws FrameException {
        return Envelope.parse(unmask()).data(SAID);
    }

    /** Decodes bytes to a payload as a tree. */
    @Benchmark
    public JsonElement decodeTree() throws FrameException {
        return Envelope.parse(unmask()).data(JsonElement.class);
    }

    /** Keeps the newest text. */
    private static final class Heard implements FrameReader.Sink {
        private @Nullable String last;

        String take() {
            String taken = last;
            if (taken == null) {
                throw new IllegalStateException("no text was decoded");
            }
            last = null;
            return taken;
        }

        @Override
        public void text(String text) {
            last = text;
        }

        @Override
        public void binary(ByteBuffer payload) {}

        @Override
        public void progress(int bytes) {}

        @Override
        public void activity() {}

        @Override
        public void answer(ByteBuffer pongs) {}

        @Override
        public void peerClosed(CloseReason reason) {}
    }
}
