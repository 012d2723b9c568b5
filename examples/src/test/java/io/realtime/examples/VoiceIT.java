package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.Backoff;
import io.realtime.Event;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.Reception.Report;
import io.realtime.examples.Voice.Frame;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import io.realtime.testing.FaultProxy;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.sound.sampled.AudioFileFormat;
import javax.sound.sampled.AudioFormat;
import javax.sound.sampled.AudioInputStream;
import javax.sound.sampled.AudioSystem;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.ValueSource;

/** The voice demo over real sockets. */
@Timeout(60)
@ParameterizedClass
@ValueSource(strings = {"java-websocket", "netty"})
class VoiceIT {
    private static final String FLAWLESS =
            ": 50 frames, 0 lost, 0 doubled, 0 out of order, jitter \\d+\\.\\d\\d ms, p99 of the delay (\\d+\\.\\d\\d) ms";

    private final DemoServer tokens = DemoServer.withSecret(null);
    private final String transport;

    VoiceIT(String transport) {
        this.transport = transport;
    }

    private void assertHeard(Run run) throws InterruptedException {
        assertEquals(0, run.code(), run.err());
        assertEquals("", run.err());
        Matcher shown = Pattern.compile("socket ws://127\\.0\\.0\\.1:\\d+/ws\\R"
                        + "second 1" + FLAWLESS + "\\R"
                        + "all" + FLAWLESS + "\\R")
                .matcher(run.out());
        assertTrue(shown.matches(), run.out());
        assertTrue(Double.parseDouble(shown.group(2)) > 0, "a frame was heard before it was captured");
    }

    @Test
    void oneSecondOfVoiceArrivesComplete() throws InterruptedException {
        try (Run run = new Run("voice", "--seconds", "1", "--transport", transport)) {
            assertHeard(run);
        }
    }

    @Test
    void fileArrivesCompleteWhenReliable(@TempDir Path folder) throws IOException, InterruptedException {
        Path file = folder.resolve("voice.wav");
        AudioFormat format = new AudioFormat(48_000, 16, 1, true, false);
        AudioSystem.write(
                new AudioInputStream(new ByteArrayInputStream(new byte[9600]), format, 4800),
                AudioFileFormat.Type.WAVE,
                file.toFile());

        try (Run run =
                new Run("voice", "--seconds=1", "--reliable", "--wav", file.toString(), "--transport", transport)) {
            assertHeard(run);
        }
    }

    @Test
    void eachFrameHasItsSamplesAndItsTimeAndNoneIsSentBefore() throws Exception {
        VoiceSource tone = VoiceSource.tone();
        List<Frame> heard = new ArrayList<>();
        List<Long> arrivals = new ArrayList<>();
        try (RealtimeServer server = server(Voice.LIVE);
                RealtimeClient speaker = client(server.port(), "speaker");
                RealtimeClient listener = client(server.port(), "listener")) {
            listener.on(Voice.LIVE, message -> {
                heard.add(Frame.of(message.data()));
                arrivals.add(System.nanoTime());
            });
            assertTrue(call(tone, Voice.LIVE, 1).hold(speaker, listener).isFlawless());
        }

        assertEquals(50, heard.size());
        for (int i = 0; i < heard.size(); i++) {
            assertEquals(i, heard.get(i).number());
            assertEquals(
                    i * 20_000_000L, heard.get(i).capturedNanos() - heard.get(0).capturedNanos());
            assertTrue(arrivals.get(i) - heard.get(i).capturedNanos() > 0);
            assertEquals(tone.frame(i), heard.get(i).pcm());
        }
    }

    @Test
    void ephemeralFramesOfAbsentListenerAreLost() throws Exception {
        Report report = withACut(Voice.LIVE);

        assertTrue(report.lost() > 0 && report.lost() < 90, report::toString);
        assertEquals(0, report.doubled() + report.outOfOrder(), report::toString);
    }

    @Test
    void reliableFramesOfAbsentListenerArriveLate() throws Exception {
        Report report = withACut(Voice.KEPT);

        assertTrue(report.isFlawless(), report::toString);
        assertTrue(report.p99Millis() > 100, report::toString);
    }

    /** Two seconds, in which the listener's connection is cut and is away for 200 ms. */
    private Report withACut(Event<ByteBuffer> event) throws Exception {
        try (RealtimeServer server = server(event);
                FaultProxy proxy = FaultProxy.to(server.port());
                RealtimeClient speaker = client(server.port(), "speaker");
                RealtimeClient listener = client(proxy.port(), "listener")) {
            listener.on(event, message -> {
                if (Frame.of(message.data()).number() == 10) {
                    proxy.cutAll();
                }
            });
            return call(VoiceSource.tone(), event, 2).hold(speaker, listener);
        }
    }

    private static VoiceCall call(VoiceSource source, Event<ByteBuffer> event, int seconds) {
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8);
        return new VoiceCall(source, event, seconds, nowhere);
    }

    private RealtimeServer server(Event<ByteBuffer> event) {
        return tokens.start(
                0,
                Limits.defaults(),
                DemoServer.transportOption(Options.spec()).parse(List.of("--transport", transport)),
                builder -> VoiceCall.serve(builder, event));
    }

    private RealtimeClient client(int port, String user) {
        return RealtimeClient.builder(URI.create("ws://127.0.0.1:" + port + "/ws"))
                .token(tokens.token(user))
                .backoff(Backoff.builder()
                        .initial(Duration.ofMillis(200))
                        .cap(Duration.ofMillis(200))
                        .jitter(Backoff.Jitter.NONE)
                        .build())
                .build();
    }
}
