package io.realtime.examples;

import io.realtime.server.Limits;
import io.realtime.server.RealtimeServer;
import java.util.List;
import java.util.concurrent.CountDownLatch;

/** A chat for people, with a page. */
final class ChatDemo implements Demo {
    private static final List<String> FILES = List.of("index.html", "chat.css", "chat.js");

    @Override
    public String name() {
        return "chat";
    }

    @Override
    public String summary() {
        return "a chat with a web page: rooms, typing, and a connection that comes back";
    }

    @Override
    public Options.Spec options() {
        Options.Spec spec = Options.spec()
                .option("--port", "N", "where the WebSocket listens (default 8080; 0: any free port)")
                .option("--page-port", "N", "where the page is served (default 8081; 0: any free port)")
                .option("--secret", "S", "the HS256 secret, 32 bytes or more (default: a random one)");
        return DemoServer.transportOption(spec);
    }

    @Override
    public int run(Options options, Terminal terminal) throws InterruptedException {
        int port = options.port("--port", 8080);
        int pagePort = options.port("--page-port", 8081);
        if (port == pagePort && port != 0) {
            throw new UsageException("--port and --page-port are both " + port);
        }
        DemoServer demo = DemoServer.withSecret(options.find("--secret"));
        try (RealtimeServer server = demo.start(port, Limits.defaults(), options, DemoServer::chat);
                DemoPage page = DemoPage.start(pagePort, "chat", FILES, server.port(), demo)) {
            terminal.out().println("socket " + DemoServer.url(server));
            terminal.out().println("page " + page.url());
            terminal.out()
                    .println("console java -jar realtime-examples.jar console " + DemoServer.url(server)
                            + " --room chat:lobby --token " + demo.token("guest"));
            terminal.out().flush();
            new CountDownLatch(1).await();
        }
        return Main.OK;
    }
}
