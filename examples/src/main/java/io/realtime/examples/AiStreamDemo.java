package io.realtime.examples;

import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** Scripts that a model writes, streamed to a page. */
final class AiStreamDemo implements Demo {
    private static final List<String> FILES = List.of("index.html", "page.css", "page.js", "script.js", "session.js");
    private static final List<String> PROVIDERS = List.of("mock", "openai");
    private static final int MAX_WORD_MS = 60_000;

    @Override
    public String name() {
        return "ai-stream";
    }

    @Override
    public String summary() {
        return "a model's words on a web page as they are written, through a connection that may break";
    }

    @Override
    public Options.Spec options() {
        Options.Spec spec = Options.spec()
                .option("--port", "N", "where the WebSocket listens (default 8080; 0: any free port)")
                .option("--page-port", "N", "where the page is served (default 8081; 0: any free port)")
                .option(
                        "--provider",
                        "NAME",
                        "who writes: mock (the default), or openai, with OPENAI_API_KEY, OPENAI_MODEL and, for another"
                                + " endpoint of that kind, OPENAI_BASE_URL in the environment")
                .option("--word-ms", "N", "milliseconds for each word of the mock (default 25)");
        return DemoServer.transportOption(spec);
    }

    @Override
    public int run(Options options, Terminal terminal) throws InterruptedException {
        int port = options.port("--port", 8080);
        int pagePort = options.port("--page-port", 8081);
        if (port == pagePort && port != 0) {
            throw new UsageException("--port and --page-port are both " + port);
        }
        Scripts scripts = scripts(options, terminal);
        DemoServer demo = DemoServer.withSecret(null);
        try (RealtimeServer server = demo.start(
                        port,
                        Limits.defaults(),
                        options,
                        builder -> builder.onStream(
                                Script.GENERATE, (session, topic, out) -> scripts.write(topic.topic(), out::send)));
                DemoPage page = DemoPage.start(pagePort, "script", FILES, server.port(), demo)) {
            terminal.out().println("socket " + DemoServer.url(server));
            terminal.out().println("page " + page.url());
            terminal.out().flush();
            new CountDownLatch(1).await();
        }
        return Main.OK;
    }

    private static Scripts scripts(Options options, Terminal terminal) {
        ScriptWriter mock = new MockWriter(Duration.ofMillis(options.number("--word-ms", 25, 0, MAX_WORD_MS)));
        boolean isModel = "openai".equals(options.choice("--provider", PROVIDERS));
        return new Scripts(isModel ? OpenAiWriter.of(terminal.environment()) : mock, mock);
    }
}
