package io.realtime.server.internal;

import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Payloads;
import io.realtime.server.JoinRule;
import io.realtime.server.Retention;
import io.realtime.server.internal.connection.PeerAcceptor;
import io.realtime.server.internal.dispatch.Dispatcher;
import io.realtime.server.internal.execution.Workers;
import io.realtime.server.internal.room.LocalBroker;
import io.realtime.server.internal.session.Middleware;
import io.realtime.server.internal.session.Rules;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.server.internal.session.SessionTable;
import io.realtime.server.internal.session.UnfinishedWork;
import io.realtime.spi.Scheduler;
import java.time.Duration;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;

/** The parts of one server, put together. */
public final class ServerCore {
    /**
     * The retention of a session's inbox. It has no age, since a lost connection may be noticed late. Messages that the
     * client has read are dropped at once, and the rest end with the session.
     */
    private static final Retention SESSION_RETENTION = new Retention(1000, Duration.ofSeconds(Long.MAX_VALUE));

    private final LocalBroker broker;
    private final SessionContext context;
    private final SessionTable table;
    private final PeerAcceptor acceptor;

    public ServerCore(ServerConfig config, Scheduler scheduler, Workers workers) {
        broker = new LocalBroker(
                scheduler,
                workers::execute,
                config.random(),
                name -> retentionOf(name, config),
                config.presence(),
                config.limits());
        Middleware middleware = new Middleware(config.interceptors());
        context = new SessionContext(
                config.limits(),
                config.sessionTtl(),
                config.listener(),
                config.roomListener(),
                new Payloads(config.codec()),
                scheduler,
                workers,
                broker,
                new UnfinishedWork(this::sessions),
                middleware,
                config.rates());
        JoinRule.Async joinRule = middleware.aroundJoins(config.joinRule());
        Rules rules = new Rules(context, joinRule, config.sendRule(), config.lateSendRule(), workers.rules());
        table = new SessionTable(context, config.random());
        Map<String, Dispatcher.MessageHandler> handlers = new HashMap<>();
        Dispatcher dispatcher = new Dispatcher(context, rules, handlers, config.unhandled());
        config.handlers().forEach((name, maker) -> handlers.put(name, maker.apply(dispatcher)));
        config.maxBytes()
                .forEach((name, most) ->
                        handlers.computeIfPresent(name, (key, handler) -> Dispatcher.atMost(most, handler)));
        acceptor = new PeerAcceptor(
                config.path(),
                config.origins(),
                config.heartbeat(),
                config.random(),
                middleware.aroundLogins(config.authenticator()),
                context,
                table,
                rules,
                dispatcher);
    }

    private static Retention retentionOf(String room, ServerConfig config) {
        return switch (room) {
            case Names.USER -> config.inboxRetention();
            case Names.SESSION -> SESSION_RETENTION;
            default -> config.retention();
        };
    }

    private Collection<ServerSession> sessions() {
        return table.sessions();
    }

    public LocalBroker broker() {
        return broker;
    }

    public SessionContext context() {
        return context;
    }

    public SessionTable table() {
        return table;
    }

    public PeerAcceptor acceptor() {
        return acceptor;
    }
}
