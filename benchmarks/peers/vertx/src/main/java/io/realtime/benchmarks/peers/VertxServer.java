package io.realtime.benchmarks.peers;

import io.vertx.core.DeploymentOptions;
import io.vertx.core.Future;
import io.vertx.core.VerticleBase;
import io.vertx.core.Vertx;
import io.vertx.core.VertxOptions;
import io.vertx.core.http.HttpServer;
import io.vertx.core.http.HttpServerOptions;
import io.vertx.core.http.ServerWebSocket;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;

/**
 * An echo and a group on Vert.x: native transport, a verticle per core behind one port, no compression. Each verticle has
 * its own members and writes to them on its own event loop.
 */
public final class VertxServer extends VerticleBase {
    private static final int BACKLOG = 4096;
    private static final int MESSAGE = 64 * 1024 + 1;
    private static final int SHARED_RANDOM_PORT = -1;

    private final List<VertxServer> all;
    private final CompletableFuture<Integer> port;
    private final List<ServerWebSocket> members = new ArrayList<>();

    private VertxServer(List<VertxServer> all, CompletableFuture<Integer> port) {
        this.all = all;
        this.port = port;
        all.add(this);
    }

    /**
     * Runs until the input ends.
     *
     * @throws Exception when the server does not start
     */
    public static void main(String[] none) throws Exception {
        List<VertxServer> all = new CopyOnWriteArrayList<>();
        CompletableFuture<Integer> port = new CompletableFuture<>();
        Vertx.vertx(new VertxOptions().setPreferNativeTransport(true))
                .deployVerticle(
                        () -> new VertxServer(all, port),
                        new DeploymentOptions()
                                .setInstances(Runtime.getRuntime().availableProcessors()))
                .await();
        System.out.println("PORT " + port.get());
        System.in.transferTo(OutputStream.nullOutputStream());
        Runtime.getRuntime().halt(0);
    }

    @Override
    public Future<HttpServer> start() {
        HttpServerOptions options = new HttpServerOptions()
                .setTcpNoDelay(true)
                .setAcceptBacklog(BACKLOG)
                .setMaxWebSocketFrameSize(MESSAGE)
                .setMaxWebSocketMessageSize(MESSAGE)
                .setPerMessageWebSocketCompressionSupported(false)
                .setPerFrameWebSocketCompressionSupported(false);
        return vertx.createHttpServer(options)
                .webSocketHandler(this::opened)
                .listen(SHARED_RANDOM_PORT)
                .onSuccess(server -> port.complete(server.actualPort()));
    }

    private void opened(ServerWebSocket peer) {
        peer.textMessageHandler(message -> received(peer, message));
        peer.closeHandler(closed -> members.remove(peer));
        peer.exceptionHandler(broken -> members.remove(peer));
    }

    private void received(ServerWebSocket peer, String message) {
        switch (message.charAt(0)) {
            case 'e' -> peer.writeTextMessage(message);
            case 's' -> {
                members.add(peer);
                peer.writeTextMessage(message);
            }
            case 'p' -> all.forEach(each -> each.context.runOnContext(now -> each.deliver(message)));
            default -> peer.close();
        }
    }

    private void deliver(String message) {
        members.forEach(member -> member.writeTextMessage(message));
    }
}
