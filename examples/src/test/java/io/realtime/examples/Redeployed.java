package io.realtime.examples;

import io.realtime.Event;
import io.realtime.Request;
import io.realtime.TypeRef;
import io.realtime.client.RealtimeClient;
import io.realtime.gson.GsonCodec;
import io.realtime.jackson.JacksonCodec;
import io.realtime.server.RealtimeServer;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;

/** An application that is deployed: it starts a server, talks to it with its own types, and is undeployed. */
public final class Redeployed implements Callable<String> {
    enum Kind {
        GREETING
    }

    record Said(String text, Kind kind) {}

    private static final Event<Said> SAID = Event.of("said", Said.class);
    private static final Request<Said, List<Said>> TWICE =
            Request.of("twice", new TypeRef<Said>() {}, new TypeRef<List<Said>>() {});

    /** Returns what came of it. */
    @Override
    public String call() throws Exception {
        CompletableFuture<Said> heard = new CompletableFuture<>();
        try (RealtimeServer server = RealtimeServer.builder()
                        .port(0)
                        .anonymous()
                        .codec(GsonCodec.create())
                        .on(SAID, (session, message) -> session.send(SAID, message.data()))
                        .onRequest(TWICE, (session, said) -> List.of(said, said))
                        .build()
                        .start();
                RealtimeClient client = RealtimeClient.builder(URI.create("ws://localhost:" + server.port() + "/ws"))
                        .codec(JacksonCodec.create())
                        .build()) {
            client.on(SAID, said -> heard.complete(said.data()));
            client.connect(Duration.ofSeconds(20)).get(20, TimeUnit.SECONDS);
            client.send(SAID, new Said("a", Kind.GREETING)).get(20, TimeUnit.SECONDS);
            List<Said> twice =
                    client.request(TWICE, new Said("b", Kind.GREETING)).get(20, TimeUnit.SECONDS);
            return text(heard.get(20, TimeUnit.SECONDS)) + " " + text(twice.get(0)) + " " + text(twice.get(1));
        }
    }

    /** Not by the record's own toString: the JDK's (17, ObjectMethods) keeps the class loader that used it last. */
    private static String text(Said said) {
        return said.text() + " " + said.kind().name();
    }
}
