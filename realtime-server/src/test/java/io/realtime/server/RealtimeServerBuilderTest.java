package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotNull;

import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.Heartbeat;
import io.realtime.Request;
import io.realtime.StreamRequest;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import io.realtime.testing.ManualScheduler;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** A server keeps nothing of the builder that it was built with. */
class RealtimeServerBuilderTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Event<String> LATE = Event.of("late", String.class);
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);
    private static final Request<String, String> ASK_LATER = Request.of("ask.later", String.class, String.class);
    private static final StreamRequest<String, String> COUNT = StreamRequest.of("count", String.class, String.class);
    private static final StreamRequest<String, String> COUNT_LATER =
            StreamRequest.of("count.later", String.class, String.class);

    private final List<String> told = new ArrayList<>();
    private final Limits.Builder limits = Limits.builder();
    private RealtimeServer.@Nullable Builder used;
    private final TestServer test = new TestServer(TestServer::byName, builder -> {
        used = builder;
        return builder.allowJoin((session, room) -> room.startsWith("chat:"))
                .on(SAY, (session, message) -> told.add("said " + message.data()))
                .listener(new Listener("first"))
                .limits(limits.build());
    });

    private final class Listener implements SessionListener {
        private final String name;

        Listener(String name) {
            this.name = name;
        }

        @Override
        public void onOpen(Session session) {
            told.add(name + " open");
        }
    }

    @AfterEach
    void close() {
        test.close();
    }

    private void changeEverything() throws NoSuchAlgorithmException {
        limits.messageBytes(2_000)
                .connections(1)
                .helloTimeout(Duration.ofMillis(1))
                .roomsPerSession(1);
        Objects.requireNonNull(used)
                .port(1)
                .host("192.0.2.1")
                .path("/other")
                .allowJoin((session, room) -> true)
                .allowSend((session, event, room) -> true)
                .allowJoinAsync((session, room) -> CompletableFuture.completedFuture(true))
                .allowSendAsync((session, event, room) -> CompletableFuture.completedFuture(true))
                .transport("none")
                .tls(Objects.requireNonNull(SSLContext.getDefault()))
                .scheduler(new ManualScheduler())
                .daemon(false)
                .closeOnShutdown(Duration.ofSeconds(1))
                .on(LATE, (session, message) -> told.add("late"))
                .onRequest(ASK, (session, question) -> "leaked")
                .onRequestAsync(ASK_LATER, (session, question) -> CompletableFuture.completedFuture("leaked"))
                .onStream(COUNT, (session, question, out) -> out.send("leaked"))
                .onStreamAsync(COUNT_LATER, (session, question, out) -> out.end())
                .listener(new Listener("second"))
                .limits(limits.build())
                .retention(new Retention(1, Duration.ofSeconds(1)))
                .inboxRetention(new Retention(1, Duration.ofSeconds(1)))
                .heartbeat(new Heartbeat(Duration.ofSeconds(1), Duration.ofSeconds(2)))
                .sessionTtl(Duration.ofSeconds(1))
                .allowOrigin("https://evil.example")
                .allowAnyOrigin()
                .executor(task -> told.add("second executor"))
                .random(new Random(1));
    }

    @Test
    void serverKeepsNothingOfItsBuilder() throws NoSuchAlgorithmException {
        changeEverything();
        TestPeer page = test.connect("", "/ws?token=eve", Map.of("Origin", "https://evil.example", "Host", "here"));
        assertNotNull(page.failure(), "its origin is not allowed");
        assertNotNull(test.connect("", "/other?token=eve").failure(), "there is no such path");

        TestPeer ann = test.connect(Protocol.SUBPROTOCOL, "/ws");
        test.time.advance(Duration.ofSeconds(1));
        ann.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        JsonObject welcome = ann.data("$welcome");
        assertEquals("ann", welcome.get("user").getAsString());
        JsonObject bounds = welcome.getAsJsonObject("limits");
        assertEquals(
                Limits.defaults().messageBytes(), bounds.get("messageBytes").getAsInt());
        assertEquals(
                Heartbeat.defaults().interval().toMillis(),
                welcome.getAsJsonObject("heartbeat").get("intervalMs").getAsLong());

        assertEquals("forbidden", ann.errorOf("{'type':'$join','room':'admin:secrets','ref':'1'}"));
        assertEquals("forbidden", ann.errorOf("{'type':'say','room':'chat:1','data':'x','seq':1}"));
        int seq = 2;
        for (String name : List.of("late", "ask", "ask.later", "count", "count.later")) {
            String asked = "{'type':'" + name + "','data':'x','ref':'r','seq':" + seq++ + "}";
            assertEquals("no_handler", ann.errorOf(asked), name);
        }
        for (String room : List.of("chat:1", "chat:2")) {
            ann.send("{'type':'$join','room':'" + room + "','ref':'2'}");
            ann.next("$reply");
        }
        test.server.connections().room("chat:1").send(SAY, "1");
        test.server.connections().room("chat:1").send(SAY, "2");
        test.time.advance(Duration.ofSeconds(2));
        ann.send("{'type':'$history','room':'chat:1','ref':'3'}");
        assertEquals(2, ann.data("$reply").getAsJsonArray("messages").size());

        Session session = test.server.connections().user("ann").sessions().get(0);
        ann.cut();
        test.time.advance(Duration.ofSeconds(5));
        assertEquals(List.of(session), test.server.connections().user("ann").sessions());
        assertEquals(List.of("first open"), told);
    }
}
