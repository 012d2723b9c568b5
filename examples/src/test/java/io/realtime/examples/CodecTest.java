package io.realtime.examples;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.realtime.Event;
import io.realtime.Request;
import io.realtime.StreamListener;
import io.realtime.StreamRequest;
import io.realtime.client.RealtimeClient;
import io.realtime.server.RealtimeServer;
import io.realtime.spi.PayloadCodec;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.ManualScheduler;
import java.io.IOException;
import java.io.Writer;
import java.lang.reflect.Type;
import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** A server and a client with a {@link PayloadCodec} of the application's own. */
class CodecTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Request<String, String> ECHO = Request.of("echo", String.class, String.class);
    private static final StreamRequest<String, String> LETTERS =
            StreamRequest.of("letters", String.class, String.class);
    private static final Event<Thread> BAD = Event.of("bad", Thread.class);
    private static final Request<String, Thread> BAD_REPLY = Request.of("bad.reply", String.class, Thread.class);
    private static final StreamRequest<String, Thread> BAD_ITEM =
            StreamRequest.of("bad.item", String.class, Thread.class);

    private final ManualScheduler time = new ManualScheduler();
    private final InMemoryNetwork network = new InMemoryNetwork(time);
    private final List<String> heard = new ArrayList<>();
    private final RealtimeServer server = serverBuilder()
            .on(SAY, (session, message) -> {
                heard.add("server " + message.data());
                session.send(SAY, message.data());
                var unused = session.request(ECHO, "?").thenAccept(reply -> heard.add("server got " + reply));
            })
            .onRequest(ECHO, (session, text) -> text + text)
            .onStreamAsync(LETTERS, (session, text, out) -> {
                out.offer(text);
                out.end();
            })
            .build()
            .start();
    private final RealtimeClient client = RealtimeClient.builder(URI.create("ws://server:" + server.port() + "/ws"))
            .codec(new Backwards())
            .transport(network.clientTransport())
            .scheduler(time)
            .callbackExecutor(time)
            .build();

    private RealtimeServer.Builder serverBuilder() {
        return RealtimeServer.builder()
                .codec(new Backwards())
                .anonymous()
                .port(0)
                .transport(network.serverTransport())
                .scheduler(time)
                .executor(time);
    }

    /** Strings, written backwards: what did not pass it on both sides would show. */
    private static final class Backwards implements PayloadCodec {
        @Override
        public Mapper mapper(Type type) {
            if (type != String.class) {
                throw new IllegalArgumentException(type.getTypeName() + " cannot travel: send a String");
            }
            return new Mapper() {
                @Override
                public void write(Object value, Writer out) throws IOException {
                    out.write("{\"backwards\":\"" + new StringBuilder(value.toString()).reverse() + "\"}");
                }

                @Override
                public Object read(String text, int from, int to) {
                    String quoted = text.substring(from + "{\"backwards\":\"".length(), to - 2);
                    return new StringBuilder(quoted).reverse().toString();
                }
            };
        }
    }

    @AfterEach
    void close() {
        client.close(Duration.ZERO);
        server.close(Duration.ZERO);
        time.advance(Duration.ofSeconds(10));
    }

    @Test
    void everyKindOfPayloadPassesTheCodec() {
        client.on(SAY, said -> heard.add("client " + said.data()));
        client.onRequest(ECHO, text -> text + "!");
        var connected = client.connect();
        var sent = client.send(SAY, "abc");
        var reply = client.request(ECHO, "xy").thenAccept(text -> heard.add("reply " + text));
        client.stream(LETTERS, "pq", (StreamListener<String>) item -> heard.add("item " + item));
        time.advance(Duration.ofSeconds(1));
        connected.join();
        sent.join();
        reply.join();
        heard.sort(null);
        assertEquals(List.of("client abc", "item pq", "reply xyxy", "server abc", "server got ?!"), heard);
    }

    @Test
    @SuppressWarnings("FutureReturnValueIgnored") // they throw
    void refusedTypeIsRefusedWhenItIsRegistered() {
        assertRefused(() -> serverBuilder().on(BAD, (session, bad) -> {}).build());
        assertRefused(() -> serverBuilder()
                .onRequest(BAD_REPLY, (session, bad) -> new Thread())
                .build());
        assertRefused(() ->
                serverBuilder().onStream(BAD_ITEM, (session, bad, out) -> {}).build());
        assertRefused(() -> server.connections().everyone().send(BAD, new Thread()));
        assertRefused(() -> client.on(BAD, bad -> {}));
        assertRefused(() -> client.once(BAD, bad -> {}));
        assertRefused(() -> client.room("r").on(BAD, bad -> {}));
        assertRefused(() -> client.onRequest(BAD_REPLY, bad -> new Thread()));
        assertRefused(() -> client.onStream(BAD_ITEM, (bad, out) -> {}));
        assertRefused(() -> client.send(BAD, new Thread()));
        assertRefused(() -> client.request(BAD_REPLY, ""));
        assertRefused(() -> client.stream(BAD_ITEM, "", (StreamListener<Thread>) item -> {}));
    }

    private static void assertRefused(Executable call) {
        var refused = assertThrows(IllegalArgumentException.class, call);
        assertEquals("java.lang.Thread cannot travel: send a String", refused.getMessage());
    }
}
