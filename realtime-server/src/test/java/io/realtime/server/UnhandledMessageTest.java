package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonNull;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.server.internal.TestServer.TestPeer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletionStage;
import org.junit.jupiter.api.Test;

/** The handler of messages whose name nothing handles. */
class UnhandledMessageTest extends ChatServerFixture {
    private final List<String> caught = new ArrayList<>();

    private TestPeer ann() {
        start(builder -> builder.onUnhandled(message -> {
            if (message.type().equals("legacy.refused")) {
                throw new RealtimeException(ErrorCode.of("gone"), "use chat.say");
            }
            caught.add(message.session().user().id() + " " + message.type() + " " + message.room() + " "
                    + (message.isBinary() ? "bytes" : message.json()));
        }));
        return test.managed("ann");
    }

    @Test
    void unhandledMessageKeepsItsNameAndItsJson() {
        TestPeer ann = ann();
        ann.send("{'type':'legacy.say','seq':1,'data':{'n': 1.50}}");
        ann.send("{'type':'say','seq':2,'data':{'text':'hi'}}");
        ann.send("{'type':'legacy.ping'}");
        assertEquals(List.of("ann legacy.say null {\"n\": 1.50}", "ann legacy.ping null null"), caught);
        assertEquals(List.of("hi"), handled);
        test.time.advance(Duration.ofMillis(100));
        assertEquals(2, ann.data("$ack").get("seq").getAsInt());
    }

    @Test
    void unhandledMessageWithRefIsAnswered() {
        TestPeer ann = ann();
        ann.send("{'type':'legacy.say','seq':1,'ref':'7','data':1}");
        assertEquals(JsonNull.INSTANCE, ann.next("$reply").get("data"));
        assertEquals("gone", ann.errorOf("{'type':'legacy.refused','seq':2,'ref':'8'}"));
    }

    @Test
    void unhandledMessageToARoomNeedsTheSendRule() {
        TestPeer ann = ann();
        assertEquals("forbidden", ann.errorOf("{'type':'legacy.say','seq':1,'room':'chat:1'}"));
        assertEquals("forbidden", ann.errorOf("{'type':'legacy.say','seq':2,'room':'@all'}"));
        assertEquals(List.of(), caught);
        ann.send("{'type':'$join','ref':'1','room':'chat:1'}");
        ann.send("{'type':'legacy.say','seq':3,'room':'chat:1','data':true}");
        assertEquals(List.of("ann legacy.say chat:1 true"), caught);
    }

    @Test
    void unhandledBinaryMessageIsBytes() {
        start(builder -> builder.onUnhandled(
                message -> caught.add(message.isBinary() + " " + message.data(byte[].class).length)));
        TestPeer ann = test.plain("ann");
        ann.postBinary(new byte[] {1, 0, 12, '{', '"', 't', 'y', 'p', 'e', '"', ':', '"', 'x', '"', '}', 9, 9});
        test.settle();
        assertEquals(List.of("true 2"), caught);
    }

    @Test
    void frameOfTheProtocolIsNeverUnhandled() {
        TestPeer ann = ann();
        assertEquals("unknown_type", ann.errorOf("{'type':'$nonsense','ref':'1','room':'chat:1'}"));
        assertEquals(List.of(), caught);
    }

    @Test
    void unhandledMessageIsInterceptedLikeOthers() {
        start(builder -> builder.onUnhandled(message -> caught.add(message.json()))
                .intercept(new Interceptor() {
                    @Override
                    public CompletionStage<?> handle(IncomingMessage message, Handling next) throws Exception {
                        return next.handle(message.withJson("[" + message.json() + "]"));
                    }
                }));
        TestPeer ann = test.managed("ann");
        ann.send("{'type':'legacy.say','seq':1,'data':1}");
        assertEquals(List.of("[1]"), caught);
        assertFalse(ann.types().contains("$error"));
        assertTrue(handled.isEmpty());
    }
}
