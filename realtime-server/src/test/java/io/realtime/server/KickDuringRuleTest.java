package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonObject;
import io.realtime.Event;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What becomes of a message whose rule decides while its session is disconnected. */
class KickDuringRuleTest {
    private static final Event<String> SAY = Event.of("say", String.class);

    private final List<String> handled = new ArrayList<>();
    private TestServer test = start(builder -> builder);

    private TestServer start(UnaryOperator<RealtimeServer.Builder> rule) {
        return new TestServer(
                TestServer::byName,
                builder -> rule.apply(builder).on(SAY, (session, message) -> handled.add(message.data())));
    }

    @AfterEach
    void close() {
        test.close();
    }

    /** Has a client send three messages; the first one waits for its rule. */
    private void sendThree() {
        TestPeer ann = test.managed("ann");
        ann.post("{'type':'say','room':'chat','seq':1,'data':'one'}");
        ann.post("{'type':'say','room':'chat','data':'unnumbered'}");
        ann.post("{'type':'say','room':'chat','seq':2,'data':'two'}");
        test.settle();
    }

    private void kick() {
        test.server.connections().user("ann").disconnect("out");
    }

    private void assertNothingHandled() {
        assertEquals(List.of(), handled);
        assertEquals(0, test.server.stats().waiting());
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        JsonObject welcome = again.data("$welcome");
        assertTrue(welcome.get("known").getAsBoolean());
        assertEquals(0, welcome.get("seq").getAsLong(), "none counts as processed");
        again.send("{'type':'say','seq':1,'redelivered':true,'data':'one again'}");
        again.send("{'type':'say','seq':2,'redelivered':true,'data':'two again'}");
        assertEquals(List.of("one again", "two again"), handled);
        assertEquals(0, test.server.stats().waiting());
    }

    @Test
    void messageIsDroppedWhenItsRuleSaysYesTooLate() {
        test = start(builder -> builder.allowSend((session, event, room) -> {
            kick();
            return true;
        }));
        sendThree();
        assertNothingHandled();
    }

    @Test
    void messageIsDroppedWhenItsRuleSaysNoTooLate() {
        test = start(builder -> builder.allowSend((session, event, room) -> {
            kick();
            return false;
        }));
        sendThree();
        assertNothingHandled();
    }

    @Test
    void messageIsDroppedWhenItsRuleThrowsTooLate() {
        test = start(builder -> builder.allowSend((session, event, room) -> {
            kick();
            throw new IllegalStateException("expected in the log");
        }));
        sendThree();
        assertNothingHandled();
    }

    @Test
    void messageIsDroppedWhileAnAsyncRuleBegins() {
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        test = start(builder -> builder.allowSendAsync((session, event, room) -> {
            kick();
            return answer;
        }));
        sendThree();
        answer.complete(true);
        test.settle();
        assertNothingHandled();
    }

    @Test
    void messageIsDroppedWhenAnAsyncRuleAnswersAtOnce() {
        test = start(builder -> builder.allowSendAsync((session, event, room) -> {
            kick();
            return CompletableFuture.completedFuture(true);
        }));
        sendThree();
        assertNothingHandled();
    }

    @Test
    void messageIsDroppedWhileItWaitsForAnAsyncRule() {
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        test = start(builder -> builder.allowSendAsync((session, event, room) -> answer));
        sendThree();
        assertEquals(3, test.server.stats().waiting());
        kick();
        answer.complete(true);
        test.settle();
        assertNothingHandled();
    }

    @Test
    void messageIsDroppedWhileItWaitsForThreadAfterAsyncRule() {
        CompletableFuture<Boolean> answer = new CompletableFuture<>();
        test = start(builder -> builder.allowSendAsync((session, event, room) -> answer));
        sendThree();
        test.executor.hold();
        answer.complete(true);
        assertEquals(1, test.executor.size());
        kick();
        test.release();
        assertNothingHandled();
    }

    @Test
    void plainClientsMessageIsDroppedWhenItsRuleSaysYesTooLate() {
        test = start(builder -> builder.allowSend((session, event, room) -> {
            kick();
            return true;
        }));
        TestPeer ann = test.plain("ann");
        ann.post("{'type':'say','room':'chat','data':'one'}");
        ann.post("{'type':'say','room':'chat','data':'two'}");
        test.settle();
        assertEquals(List.of(), handled);
        assertEquals(0, test.server.stats().waiting());
    }

    @Test
    void handlerThatKicksItsOwnSessionHasProcessedItsMessage() {
        test = start(builder -> builder.allowSend((session, event, room) -> true)
                .on(Event.of("kick", String.class), (session, message) -> kick()));
        TestPeer ann = test.managed("ann");
        ann.post("{'type':'kick','seq':1,'data':'me'}");
        ann.post("{'type':'say','seq':2,'data':'two'}");
        test.settle();
        assertEquals(List.of(), handled);
        assertEquals(0, test.server.stats().waiting());
        TestPeer again = test.connect("realtime.v1", "/ws");
        again.send("{'type':'$hello','data':{'token':'ann','client':'client-of-ann-0123456789'}}");
        assertEquals(1, again.data("$welcome").get("seq").getAsLong());
    }
}
