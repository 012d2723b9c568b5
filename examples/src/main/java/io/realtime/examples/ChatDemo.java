package io.realtime.examples;

import io.realtime.examples.chat.ChatBackend;
import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A chat for people, with a page. Its messages are in a database. */
final class ChatDemo implements Demo {
    private static final List<String> FILES =
            List.of("index.html", "chat.css", "app.js", "view.js", "chat.js", "conversation.js", "link.js");
    // WRITE_DELAY=0: a commit is written before it is acknowledged, so that it survives a kill.
    private static final String H2 =
            "jdbc:h2:file:./realtime-chat;WRITE_DELAY=0;LOCK_TIMEOUT=5000;DB_CLOSE_ON_EXIT=FALSE";
    // A person types less; the whole of an outbox after a lost connection is a burst.
    private static final RateLimit RATE = RateLimit.perSecond(50).withBurst(200);
    // Referenced, or the JDK would forget their levels. They describe each step of opening the database.
    private static final List<Logger> QUIET =
            List.of(Logger.getLogger("org.flywaydb"), Logger.getLogger("com.zaxxer.hikari"));

    @Override
    public String name() {
        return "chat";
    }

    @Override
    public String summary() {
        return "a chat with a web page that keeps its messages in a database: rooms, direct messages, unread marks";
    }

    @Override
    public Options.Spec options() {
        Options.Spec spec = Options.spec()
                .option("--port", "N", "where the WebSocket listens (default 8080; 0: any free port)")
                .option("--page-port", "N", "where the page is served (default 8081; 0: any free port)")
                .option("--jdbc-url", "URL", "the database, H2 or PostgreSQL (default: the file realtime-chat.mv.db)")
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
        String url = Objects.requireNonNullElse(options.find("--jdbc-url"), H2);
        QUIET.forEach(logger -> logger.setLevel(Level.WARNING));
        try (ChatBackend backend = ChatBackend.open(
                        url,
                        terminal.environment().apply("JDBC_USER"),
                        terminal.environment().apply("JDBC_PASSWORD"));
                RealtimeServer server =
                        demo.start(port, Limits.builder().rate(RATE).build(), options, backend::addHandlers);
                DemoPage page = DemoPage.start(
                        pagePort,
                        "chat",
                        FILES,
                        Map.of("/api/messages", backend.messageApi(demo::userOf)),
                        server.port(),
                        demo)) {
            backend.publishTo(server);
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
