package io.realtime.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.realtime.ErrorCode;
import io.realtime.PayloadException;
import io.realtime.RealtimeException;
import io.realtime.RemoteException;
import io.realtime.Request;
import io.realtime.Subscription;
import io.realtime.TypeRef;
import io.realtime.client.World.Say;
import io.realtime.internal.wire.Envelope;
import java.util.AbstractList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

/** The requests of the server, and how a client answers them. */
class ClientRequestHandlersTest extends ClientCallsFixture {
    // ---- the server asks

    @Test
    void serversRequestIsAnswered() {
        world.client().onRequest(LENGTH, String::length);
        world.connected();
        answer("length", "s-1", ",'data':'four'");
        Envelope reply = only("$reply");
        assertEquals("s-1", reply.ref());
        assertEquals(4, reply.<Integer>data(Integer.class));
        assertTrue(reply.seq() > 0, "it is kept until it is acknowledged");
        resume(0, 0);
        assertEquals("s-1", only("$reply").ref());
    }

    @Test
    void requestThatNothingHandlesIsRefused() {
        world.connected();
        answer("length", "s-1", ",'data':'four'");
        assertEquals("s-1", only("$error").ref());
        assertEquals(ErrorCode.NO_HANDLER, only("$error").error().exception().code());
    }

    @Test
    void throwingRequestHandlerIsAnsweredWithInternal() {
        NoSuchFieldError thrown = new NoSuchFieldError("secret");
        world.client().onRequest(LENGTH, text -> {
            throw thrown;
        });
        world.connected();
        answer("length", "s-1", ",'data':'four'");
        RemoteException told = only("$error").error().exception();
        assertEquals(ErrorCode.INTERNAL, told.code());
        assertFalse(told.getMessage().contains("secret"), told.getMessage());
        assertEquals(List.of(thrown), world.errors);
    }

    @Test
    void refusalOfHandlerIsTheAnswer() {
        world.client()
                .onRequestAsync(
                        LENGTH,
                        text -> CompletableFuture.failedFuture(
                                new RealtimeException(ErrorCode.FORBIDDEN, "not for you")));
        world.connected();
        answer("length", "s-1", ",'data':'four'");
        RemoteException told = only("$error").error().exception();
        assertEquals(ErrorCode.FORBIDDEN, told.code());
        assertEquals(List.of(), world.errors);
    }

    @Test
    void dataErrorInHandlerIsNotBlamedOnTheServer() {
        PayloadException unfit = new PayloadException("$: no");
        world.client().onRequest(LENGTH, text -> {
            throw new CompletionException(
                    text.equals("bad") ? unfit : new RealtimeException(ErrorCode.FORBIDDEN, "not for you"));
        });
        world.connected();
        answer("length", "s-1", ",'data':'bad'");
        assertEquals(ErrorCode.INTERNAL, only("$error").error().exception().code());
        assertEquals(List.of(unfit), world.errors);
        answer("length", "s-2", ",'data':'four'");
        Envelope second = world.peer().all("$error").get(1);
        assertEquals(ErrorCode.FORBIDDEN, second.error().exception().code());
    }

    @Test
    void requestWithMismatchedDataIsRefused() {
        world.client().onRequest(LENGTH, String::length);
        world.connected();
        answer("length", "s-1", ",'data':{}");
        assertEquals(ErrorCode.BAD_DATA, only("$error").error().exception().code());
    }

    @Test
    void replyThatIsTooBigForServerIsAnsweredWithThatError() {
        world.messageBytes = 1_000;
        Request<String, String> long0 = Request.of("long", String.class, String.class);
        world.client().onRequest(long0, text -> "x".repeat(2_000));
        world.connected();
        answer("long", "s-1", ",'data':'x'");
        assertEquals("s-1", only("$error").ref());
        assertEquals(ErrorCode.TOO_BIG, only("$error").error().exception().code());
    }

    @Test
    void answerWaitsForRoomInTheOutbox() {
        world.use(world.builder().outbox(OutboxLimits.builder().messages(2).build()));
        world.client().onRequest(LENGTH, String::length);
        world.connected();
        var first = world.client().send(World.SAY, new Say("a"));
        var second = world.client().send(World.SAY, new Say("b"));
        world.settle();
        answer("length", "s-1", ",'data':'four'");
        assertEquals(List.of(), world.peer().all("$reply"));
        world.peer().ack(2, 0);
        world.settle();
        assertEquals("s-1", only("$reply").ref());
        assertTrue(first.isDone() && second.isDone());
        assertEquals(List.of(), world.errors);
        assertEquals(List.of(), world.dropped);
    }

    @Test
    void replyThatTheOutboxCanNeverHoldIsAnsweredAsTooBig() {
        world.use(world.builder().outbox(OutboxLimits.builder().bytes(8_000).build()));
        Request<String, String> padded = Request.of("long", String.class, String.class);
        world.client().onRequest(padded, text -> "x".repeat(20_000));
        world.connected();
        answer("long", "s-1", ",'data':'x'");
        assertEquals("s-1", only("$error").ref());
        assertEquals(ErrorCode.TOO_BIG, only("$error").error().exception().code());
        assertEquals(1, world.errors.size());
        assertEquals(ErrorCode.TOO_BIG, ((RealtimeException) world.errors.get(0)).code());
    }

    @Test
    void replyWhoseWritingFailsWithAnErrorIsAnswered() {
        Request<String, List<String>> lazy = Request.of("lazy", String.class, new TypeRef<List<String>>() {});
        world.client().onRequest(lazy, text -> new AbstractList<String>() {
            @Override
            public String get(int index) {
                throw new NoClassDefFoundError("loaded lazily");
            }

            @Override
            public int size() {
                return 1;
            }
        });
        world.connected();
        answer("lazy", "s-1", ",'data':'x'");
        assertEquals(ErrorCode.INTERNAL, only("$error").error().exception().code());
        assertEquals(1, world.errors.size());
        assertInstanceOf(NoClassDefFoundError.class, world.errors.get(0).getCause());
    }

    @Test
    void secondHandlerOfOneRequestIsRefused() {
        Subscription first = world.client().onRequest(LENGTH, String::length);
        assertThrows(IllegalArgumentException.class, () -> world.client().onRequest(LENGTH, String::length));
        first.close();
        world.client().onRequest(LENGTH, String::length);
    }
}
