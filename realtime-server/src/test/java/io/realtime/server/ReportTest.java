package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.realtime.CloseReason;
import io.realtime.Event;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import io.realtime.server.internal.TestServer.TestPeer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Failures of the application reach the session's listener one at a time, in order with its messages. */
@Timeout(60)
class ReportTest {
    private static final Event<String> SAY = Event.of("say", String.class);
    private static final Request<String, String> LATE = Request.of("late", String.class, String.class);

    private final CompletableFuture<String> late = new CompletableFuture<>();
    private final CompletableFuture<Boolean> rule = new CompletableFuture<>();
    private final List<String> heard = new ArrayList<>();
    private final TestServer test = new TestServer(
            TestServer::byName,
            builder -> builder.allowJoinAsync((session, room) -> {
                        if (room.startsWith("broken")) {
                            throw new IllegalStateException(room);
                        }
                        return rule;
                    })
                    .on(SAY, (session, message) -> {
                        heard.add(message.data());
                        if (message.data().startsWith("broken")) {
                            throw new IllegalStateException(message.data());
                        }
                    })
                    .onRequestAsync(LATE, (session, question) -> late)
                    .listener(new SessionListener() {
                        @Override
                        public void onClose(Session session, CloseReason reason) {
                            heard.add("close");
                        }

                        @Override
                        public void onError(Session session, Throwable failure) {
                            heard.add("error " + failure.getMessage());
                        }
                    }));
    private final TestPeer ann = test.managed("ann");

    @AfterEach
    void close() {
        test.close();
    }

    @Test
    void failureOfAHandlerComesBeforeTheNextMessage() {
        ann.post("{'type':'say','seq':1,'data':'broken'}");
        ann.post("{'type':'say','seq':2,'data':'next'}");
        test.settle();
        assertEquals(List.of("broken", "error broken", "next"), heard);
    }

    @Test
    void failureOfALateHandlerIsNotToldOnItsThread() {
        ann.send("{'type':'late','ref':'1','seq':1,'data':''}");
        late.completeExceptionally(new IllegalStateException("late"));
        assertEquals(List.of(), heard, "this thread is none of the session's");
        test.settle();
        assertEquals(List.of("error late"), heard);
    }

    @Test
    void failureOfARuleWaitsForTheMessageThatAsked() {
        ann.send("{'type':'$rejoin','ref':'1','data':{'rooms':{'broken':{},'fine':{}}}}");
        assertEquals(List.of(), heard, "the mailbox waits for the other room");
        rule.complete(true);
        test.settle();
        assertEquals(List.of("error broken"), heard);
    }

    @Test
    void nothingIsHeardAfterTheEnd() {
        ann.send("{'type':'late','ref':'1','seq':1,'data':''}");
        test.server.connections().user("ann").sessions().iterator().next().disconnect("enough");
        test.settle();
        late.completeExceptionally(new IllegalStateException("late"));
        test.settle();
        assertEquals(List.of("close"), heard);
    }
}
