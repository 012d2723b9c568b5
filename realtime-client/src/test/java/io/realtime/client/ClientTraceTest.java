package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;

import io.realtime.Request;
import io.realtime.client.World.Say;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** The trace context that a client sends and receives. */
class ClientTraceTest extends ClientSendFixture {
    private static final String PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    private static final Request<String, String> ASK = Request.of("ask", String.class, String.class);

    private @Nullable String current = PARENT;

    private void connect() {
        world.use(world.builder().trace(() -> current));
        world.connected();
    }

    private List<@Nullable String> traces(String type) {
        List<@Nullable String> traces = new ArrayList<>();
        world.peer().all(type).forEach(frame -> traces.add(frame.trace()));
        return traces;
    }

    @Test
    void eventsAndRequestsCarryTheTraceOfTheirSend() {
        connect();
        CompletableFuture<Void> first = say("one");
        current = null;
        CompletableFuture<Void> second = say("two");
        current = "other";
        var unused = world.client().send(World.TYPING, new Say("a"));
        CompletableFuture<String> answer = world.client().request(ASK, "q");
        current = "later";
        world.settle();
        assertEquals(Arrays.asList(PARENT, null), traces("chat.say"));
        assertEquals(List.of("other"), traces("chat.typing"));
        assertEquals(List.of("other"), traces("ask"));
        assertDone(first);
        assertDone(second);
        answer.cancel(true);
    }

    @Test
    void messageThatIsSentAgainKeepsItsTrace() {
        world.acks = false;
        connect();
        CompletableFuture<Void> sent = say("one");
        world.settle();
        world.network.cutAll();
        current = "other";
        world.acks = true;
        world.advance(1_000);
        assertEquals(List.of("one*"), world.peer().says());
        assertEquals(List.of(PARENT), traces("chat.say"));
        assertDone(sent);
    }

    @Test
    void failingTracerCostsNoMessage() {
        // The third one is missing, so the tracer throws.
        Queue<String> answers = new ArrayDeque<>(List.of("two words", "x".repeat(129)));
        world.use(world.builder().trace(answers::remove));
        world.connected();
        for (String text : List.of("one", "two", "three")) {
            CompletableFuture<Void> sent = say(text);
            world.settle();
            assertDone(sent);
        }
        assertEquals(Arrays.asList(null, null, null), traces("chat.say"));
        assertEquals(3, world.errors.size(), world.errors::toString);
    }

    @Test
    void receivedMessageHasItsTrace() {
        List<@Nullable String> received = new ArrayList<>();
        connect();
        var unused = world.client().on(World.SAID, message -> received.add(message.trace()));
        world.peer().send("{'type':'chat.said','trace':'" + PARENT + "','data':{'text':'a'}}");
        world.peer().send("{'type':'chat.said','data':{'text':'b'}}");
        world.settle();
        assertEquals(Arrays.asList(PARENT, null), received);
    }

    @Test
    void clientWithoutATracerSendsNoTrace() {
        world.connected();
        CompletableFuture<Void> sent = say("one");
        world.settle();
        assertDone(sent);
        assertNull(world.peer().all("chat.say").get(0).trace());
    }
}
