package io.realtime.examples;

import io.realtime.server.RealtimeServer;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** A server with one handler of each kind, for trying any WebSocket client against. */
final class PlaygroundDemo implements Demo {
    @Override
    public String usage() {
        return "playground [--port 0] [--secret S] [--rate-limit N|off]";
    }

    @Override
    public String summary() {
        return "a server with one handler of each kind, for trying any WebSocket client against";
    }

    @Override
    public void run(List<String> line, Terminal terminal) throws InterruptedException {
        Options options = Options.parse(line, usage(), List.of("port", "secret", "rate-limit"));
        options.words(0);
        if (!"off".equals(options.text("rate-limit"))) {
            options.number("rate-limit", 1, 1, 1_000_000); // checked now, enforced once the server has rate limits
        }
        try (RealtimeServer server = start(options, terminal)) {
            terminal.out().println("socket ws://127.0.0.1:" + server.port() + "/ws");
            terminal.out().flush();
            new CountDownLatch(1).await(); // until the process is ended
        }
    }

    private static RealtimeServer start(Options options, Terminal terminal) {
        DemoServer demo = DemoServer.withSecret(options.text("secret"));
        RealtimeServer.Builder builder;
        try {
            builder = demo.builder().port(options.number("port", 0, 0, 65_535));
        } catch (IllegalArgumentException tooShort) {
            throw options.wrong("--secret: " + tooShort.getMessage());
        }
        RealtimeServer server = builder.build().start();
        if (options.text("secret") == null) {
            terminal.out().println("secret " + demo.secret());
        }
        terminal.out().println("token demo " + demo.token("demo"));
        return server;
    }
}
