package io.realtime.server;

import static org.junit.jupiter.api.Assertions.assertEquals;

import com.google.gson.JsonElement;
import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.Event;
import io.realtime.RealtimeException;
import io.realtime.Request;
import io.realtime.server.internal.TestServer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;

/** A server of rooms, events and requests in virtual time, and what its handlers and its listener saw. */
abstract class ChatServerFixture {
    record Say(String text) {
        Say {
            if (text == null) {
                throw new IllegalArgumentException("text is required");
            }
        }
    }

    record Said(String user, String text) {}

    static final Event<Say> SAY = Event.of("say", Say.class);
    static final Event<Said> SAID = Event.of("said", Said.class);
    static final Event<Void> FAIL = Event.of("fail", Void.class);
    static final Event<Void> UNWRITABLE = Event.of("unwritable", Void.class); // fails to send
    static final Event<Double> PRICE = Event.of("price", Double.class);
    static final Event<Void> REFUSE = Event.of("refuse", Void.class);
    static final Request<JsonElement, JsonElement> ECHO = Request.of("echo", JsonElement.class, JsonElement.class);
    static final Request<Integer, Integer> LATER = Request.of("later", Integer.class, Integer.class);

    final List<String> handled = new ArrayList<>();
    final List<String> life = new ArrayList<>();
    final CompletableFuture<Integer> later = new CompletableFuture<>();
    TestServer test = start(builder -> builder);

    final TestServer start(UnaryOperator<RealtimeServer.Builder> more) {
        return start(more, TestServer::byName);
    }

    final TestServer start(UnaryOperator<RealtimeServer.Builder> more, Authenticator authenticator) {
        if (test != null) {
            test.close();
        }
        test = new TestServer(
                authenticator,
                builder -> more.apply(builder.allowJoin((session, room) -> room.startsWith("chat:"))
                        .on(SAY, (session, message) -> {
                            handled.add(message.data().text() + (message.isRedelivered() ? " again" : ""));
                            if (message.room() != null) {
                                session.room(message.requireRoom())
                                        .send(
                                                SAID,
                                                new Said(
                                                        session.user().id(),
                                                        message.data().text()));
                            }
                        })
                        .on(FAIL, (session, message) -> {
                            throw new IllegalStateException("secret detail");
                        })
                        .on(UNWRITABLE, (session, message) -> session.send(PRICE, Double.NaN))
                        .on(REFUSE, (session, message) -> {
                            throw new RealtimeException(ErrorCode.of("sold_out"), "nothing left");
                        })
                        .onRequest(ECHO, (session, data) -> data)
                        .onRequestAsync(LATER, (session, data) -> later)
                        .listener(new SessionListener() {
                            @Override
                            public void onOpen(Session session) {
                                life.add("open " + session.user().id());
                            }

                            @Override
                            public void onResume(Session session) {
                                life.add("resume " + session.user().id());
                            }

                            @Override
                            public void onDetach(Session session, CloseReason reason) {
                                life.add("detach " + session.user().id() + " " + reason.code());
                            }

                            @Override
                            public void onClose(Session session, CloseReason reason) {
                                life.add("close " + session.user().id() + " " + reason.code());
                            }

                            @Override
                            public void onError(Session session, Throwable failure) {
                                life.add("error " + failure.getMessage());
                            }
                        })));
        return test;
    }

    @AfterEach
    final void nothingIsLeftBehind() {
        test.close();
        assertEquals(0, test.network.connections());
        assertEquals(0, test.server.connections().sessionCount());
        assertEquals(0, test.time.pending(), "timers left");
    }

    final Session session(String user) {
        return test.server.connections().user(user).sessions().get(0);
    }
}
