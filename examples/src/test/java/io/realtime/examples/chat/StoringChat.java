package io.realtime.examples.chat;

import io.realtime.examples.Child;
import io.realtime.server.JwtAuthenticator;
import io.realtime.server.RealtimeServer;
import java.io.IOException;
import java.util.concurrent.CountDownLatch;

/**
 * A chat that stores and answers, but never publishes: killed, it is a process that died between the two. Its arguments
 * are the database's URL and the secret. It prints its address.
 */
public final class StoringChat {
    private StoringChat() {}

    public static void main(String[] args) throws IOException {
        ChatBackend backend = ChatBackend.open(args[0], null, null);
        RealtimeServer server = backend.addHandlers(RealtimeServer.builder())
                .host("127.0.0.1")
                .port(0)
                .authenticator(JwtAuthenticator.hmac256(args[1]))
                .build()
                .start();
        CountDownLatch never = new CountDownLatch(1);
        backend.publishTo(message -> {
            Child.print("publishing");
            try {
                never.await();
            } catch (InterruptedException interrupted) {
                Thread.currentThread().interrupt();
            }
        });
        Child.print("ws://127.0.0.1:" + server.port() + "/ws");
        Child.untilTestEnds();
        System.exit(0);
    }
}
