package io.realtime.examples;

import io.realtime.Event;
import io.realtime.client.ClientListener;
import io.realtime.client.RealtimeClient;
import io.realtime.examples.Reception.Report;
import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import java.net.URI;
import java.nio.ByteBuffer;

/** Voice in a room. The speaker and the listener are clients of a server; all three are in this process. */
final class VoiceDemo implements Demo {
    private static final int MAX_SECONDS = 3600;

    @Override
    public String name() {
        return "voice";
    }

    @Override
    public String summary() {
        return "a voice in frames of 20 ms from one client to another, with what was lost, its delay and jitter";
    }

    @Override
    public Options.Spec options() {
        Options.Spec spec = Options.spec()
                .option("--port", "N", "where to listen (0, the default: any free port)")
                .option("--seconds", "N", "how long to speak, 1 to " + MAX_SECONDS + " (default 5)")
                .option(
                        "--wav",
                        "FILE",
                        "what to say: 16-bit PCM, mono, 8 to 48 kHz; its first minute, repeated (default: a tone)")
                .flag("--reliable", "keep each frame until it has arrived, however late (default: now or never)");
        return DemoServer.transportOption(spec);
    }

    @Override
    public int run(Options options, Terminal terminal) throws InterruptedException {
        int port = options.port("--port", 0);
        int seconds = options.number("--seconds", 5, 1, MAX_SECONDS);
        String wav = options.find("--wav");
        VoiceSource source = wav == null ? VoiceSource.tone() : VoiceSource.wav(wav);
        Event<ByteBuffer> event = options.has("--reliable") ? Voice.KEPT : Voice.LIVE;
        DemoServer demo = DemoServer.withSecret(null);
        Report all;
        try (RealtimeServer server =
                        demo.start(port, Limits.defaults(), options, builder -> VoiceCall.serve(builder, event));
                RealtimeClient speaker = client(server, demo, "speaker", terminal);
                RealtimeClient listener = client(server, demo, "listener", terminal)) {
            terminal.out().println("socket " + DemoServer.url(server));
            all = new VoiceCall(source, event, seconds, terminal.out()).hold(speaker, listener);
        }
        return conclude(all, terminal);
    }

    /** Prints what happened to all frames, and returns the exit code. */
    static int conclude(Report all, Terminal terminal) {
        terminal.out().println("all: " + all);
        if (!all.isFlawless()) {
            terminal.err().println("voice: not every frame was heard, once and in order");
            return Main.FAILED;
        }
        return Main.OK;
    }

    private static RealtimeClient client(RealtimeServer server, DemoServer demo, String user, Terminal terminal) {
        return RealtimeClient.builder(URI.create(DemoServer.url(server)))
                .token(demo.token(user))
                .listener(new ClientListener() {
                    @Override
                    public void onError(Throwable failure) {
                        terminal.err().println("voice: " + user + ": " + failure.getMessage());
                    }
                })
                .build();
    }
}
