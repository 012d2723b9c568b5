package io.realtime.examples;

import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.RealtimeServer;
import io.realtime.server.admin.AdminServer;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;

/** A server to try out with any WebSocket client. */
final class PlaygroundDemo implements Demo {
    @Override
    public String name() {
        return "playground";
    }

    @Override
    public String summary() {
        return "a server with events, bytes, requests and streams, to try with any WebSocket client";
    }

    @Override
    public Options.Spec options() {
        Options.Spec spec = Options.spec()
                .option("--port", "N", "where to listen (0, the default: any free port)")
                .option("--secret", "S", "the HS256 secret, 32 bytes or more (default: a random one, printed)")
                .option("--admin-port", "N", "where the admin endpoints listen (0: any free port; default: nowhere)")
                .option("--rate-limit", "N|off", "messages a second per session, as many at once (default off)");
        return DemoServer.transportOption(spec);
    }

    @Override
    public int run(Options options, Terminal terminal) throws InterruptedException {
        int port = options.port("--port", 0);
        int adminPort = options.port("--admin-port", 0);
        DemoServer demo = DemoServer.withSecret(options.find("--secret"));
        try (RealtimeServer server = demo.start(
                        port, Limits.builder().rate(rateLimit(options)).build(), options, DemoServer::chat);
                @Nullable
                        AdminServer admin = options.has("--admin-port")
                                ? AdminServer.builder(server).port(adminPort).start()
                                : null) {
            if (admin != null) {
                terminal.out().println("admin " + admin.uri());
            }
            if (options.find("--secret") == null) {
                terminal.out().println("secret " + demo.secret());
            }
            terminal.out().println("token demo " + demo.token("demo"));
            // Last, so that a reader that waits for this line already has the others.
            terminal.out().println("socket " + DemoServer.url(server));
            terminal.out().flush();
            new CountDownLatch(1).await();
        }
        return Main.OK;
    }

    private static RateLimit rateLimit(Options options) {
        String limit = options.find("--rate-limit");
        if (limit == null || limit.equals("off")) {
            return RateLimit.none();
        }
        try {
            return RateLimit.perSecond(options.number("--rate-limit", 0, 1, 1_000_000));
        } catch (UsageException wrong) {
            throw new UsageException(wrong.getMessage() + "; or off");
        }
    }
}
