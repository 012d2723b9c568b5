package io.realtime.examples;

import io.realtime.Message;
import io.realtime.examples.Playground.Direct;
import io.realtime.examples.Playground.Identity;
import io.realtime.examples.Playground.Said;
import io.realtime.examples.Playground.Say;
import io.realtime.examples.Playground.Slow;
import io.realtime.examples.Playground.Typing;
import io.realtime.examples.Playground.UserTyping;
import io.realtime.server.JwtAuthenticator;
import io.realtime.server.RealtimeServer;
import io.realtime.server.Session;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** The server of the playground and the chat: the {@link Playground} contract, for whoever holds a token. */
final class PlaygroundServer implements AutoCloseable {
    static final String HOST = "127.0.0.1";
    static final String PATH = "/ws";

    private final RealtimeServer server;

    private PlaygroundServer(int port, Tokens tokens) {
        this.server = RealtimeServer.builder()
                .host(HOST)
                .port(port)
                .path(PATH)
                .authenticator(JwtAuthenticator.hmac256(tokens.secret()))
                .allowJoin((session, room) -> room.startsWith("chat:"))
                .on(Playground.SAY, PlaygroundServer::say)
                .on(Playground.TYPING, PlaygroundServer::typing)
                .on(Playground.DIRECT, this::direct)
                .on(Playground.SHOUT, this::shout)
                .on(Playground.FAIL, (session, message) -> {
                    throw new IllegalStateException("fail was asked for");
                })
                .onRequest(Playground.ECHO, (session, data) -> data)
                .onRequest(
                        Playground.WHOAMI,
                        (session, nothing) -> new Identity(session.user().id(), Map.copyOf(session.attributes())))
                .onRequestAsync(Playground.SLOW, (session, slow) -> later(slow))
                .build();
    }

    /**
     * Starts one on the loopback address; port 0 lets the system choose.
     *
     * @throws io.realtime.RealtimeException naming the port when it is taken
     */
    static PlaygroundServer start(int port, Tokens tokens) {
        PlaygroundServer playground = new PlaygroundServer(port, tokens);
        playground.server.start();
        return playground;
    }

    int port() {
        return server.port();
    }

    /** Returns where clients connect. */
    String url() {
        return "ws://" + HOST + ":" + port() + PATH;
    }

    private static void say(Session session, Message<Say> message) {
        session.room(message.room())
                .send(Playground.SAID, said(session, message.data().text()));
    }

    private static void typing(Session session, Message<Typing> message) {
        session.room(message.room())
                .except(session)
                .send(
                        Playground.USER_TYPING,
                        new UserTyping(session.user().id(), message.data().on()));
    }

    private void direct(Session session, Message<Direct> message) {
        Direct direct = message.data();
        server.user(direct.to()).send(Playground.SAID, said(session, direct.text()));
    }

    private void shout(Session session, Message<Say> message) {
        server.all().send(Playground.SAID, said(session, message.data().text()));
    }

    private static Said said(Session session, String text) {
        return new Said(session.user().id(), text);
    }

    private static CompletionStage<Slow> later(Slow slow) {
        Executor delay = CompletableFuture.delayedExecutor(slow.ms(), TimeUnit.MILLISECONDS);
        return CompletableFuture.supplyAsync(() -> slow, delay);
    }

    @Override
    public void close() {
        server.close();
    }
}
