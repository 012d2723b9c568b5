package io.realtime.server.internal.connection;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.Steps;
import io.realtime.internal.wire.Names;
import io.realtime.internal.wire.Outgoing;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Authentication;
import io.realtime.server.Credentials;
import io.realtime.server.internal.session.LoginBars;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.spi.WireMessage;
import java.time.Instant;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The way of one connection from its {@code $hello} to the welcome: authentication, the join rules of a resumed
 * session, the {@link SessionOpener}, and the frame. A plain client's {@code $hello} is made from its upgrade request.
 */
final class HelloHandler {
    private static final int MOST_CLIENT_CHARACTERS = 128;

    private final Peer peer;
    private final PeerAcceptor acceptor;
    private final SessionContext context;
    private final SessionOpener opener;

    HelloHandler(Peer peer, boolean managed, PeerAcceptor acceptor, LoginBars.Ticket admission) {
        this.peer = peer;
        this.acceptor = acceptor;
        this.context = acceptor.context();
        this.opener = new SessionOpener(peer, managed, acceptor, admission);
    }

    /**
     * Authenticates the peer, and admits it.
     *
     * @param again reads the {@code $hello} again. Its positions take ten times the space of their text, so they are
     *     not kept meanwhile
     */
    void handle(Protocol.Hello hello, Supplier<Protocol.Hello> again) {
        String client = hello.client();
        if (client != null && (client.length() > MOST_CLIENT_CHARACTERS || !Names.isLine(client, Integer.MAX_VALUE))) {
            peer.close(new CloseReason(
                    CloseReason.PROTOCOL_ERROR,
                    "$hello: client is not 1 to 128 characters without control characters"));
            return;
        }
        peer.authenticate(new Credentials(hello.token(), client, peer.handshake()), (proof, refusal) -> {
            if (proof == null) {
                refuse(refusal);
                return;
            }
            try {
                admit(again.get(), proof);
            } catch (Throwable failure) {
                failed(failure, null);
            }
        });
    }

    private void refuse(@Nullable RealtimeException refusal) {
        boolean expired = refusal != null && refusal.code().equals(ErrorCode.TOKEN_EXPIRED);
        String why = refusal == null ? "refused" : Steps.message(refusal);
        peer.close(new CloseReason(expired ? CloseReason.TOKEN_EXPIRED : CloseReason.UNAUTHORIZED, why));
    }

    /** Finds the session to resume, and asks the join rule about its rooms. */
    private void admit(Protocol.Hello hello, Authentication proof) {
        if (peer.isClosing()) {
            // A closing peer must not count as a resumption, nor must the rules be asked for it.
            return;
        }
        SessionOpener.Result found = opener.find(hello, proof);
        if (found instanceof SessionOpener.Refused refused) {
            peer.close(refused.reason());
            return;
        }
        ServerSession resumed = ((SessionOpener.Found) found).resumed();
        if (resumed == null) {
            open(hello, proof, null, Set.of());
            return;
        }
        // Rules have a timeout of their own.
        peer.deadline().clear();
        CompletableFuture<?> unused = acceptor.rules()
                .forbidden(resumed, resumed.memberships().unplacedRooms())
                .thenAccept(
                        forbidden -> context.workers().execute(() -> open(hello, proof, resumed, forbidden.keySet())));
    }

    /**
     * Gives the connection a session and sends the welcome. Runs on the server's executor.
     *
     * @param resumed the session to resume, or null for a new one
     * @param forbidden rooms that the session may no longer be in
     */
    private void open(
            Protocol.Hello hello, Authentication proof, @Nullable ServerSession resumed, Set<String> forbidden) {
        try {
            if (context.state().isDraining()) {
                peer.close(new CloseReason(CloseReason.DRAINING, "server is draining"));
                return;
            }
            if (peer.isClosing()) {
                // The client has given this connection up. It must not take the session from the client's next one.
                return;
            }
            SessionOpener.Result result = opener.open(hello, proof, resumed, forbidden);
            if (result instanceof SessionOpener.Opened opened) {
                welcome(opened, proof.expiresAt());
            } else if (result instanceof SessionOpener.Refused refused) {
                peer.close(refused.reason());
            }
        } catch (Throwable failure) {
            failed(failure, resumed);
        }
    }

    /**
     * Handles a failed admission, for example out of memory. Closes the connection at once, and ends a session that was
     * made for it.
     */
    private void failed(Throwable failure, @Nullable ServerSession resumed) {
        Steps.log(context.log(), peer + " could not be let in", failure);
        CloseReason reason = new CloseReason(CloseReason.INTERNAL_ERROR, "internal error");
        peer.close(reason);
        opener.abandon(reason);
        if (resumed != null) {
            resumed.detached(peer, reason, false);
        }
    }

    private void welcome(SessionOpener.Opened opened, @Nullable Instant expiresAt) {
        ServerSession mine = opened.session();
        peer.expireAt(expiresAt);
        // Before the peer can know that it is authenticated.
        peer.trust();
        if (!opened.isResumed()) {
            // Before anybody knows the session's secret, so that onOpen comes first.
            mine.opened();
        }
        Protocol.RoomPosition inbox = opened.attached().rooms().get(Names.SESSION);
        if (!opened.isResumed() || (inbox != null && inbox.isLost())) {
            mine.tellRefusals(peer);
        }
        peer.send(welcomeFrame(opened, expiresAt), () -> {
            if (peer.become(mine)) {
                mine.welcomed(peer);
            }
        });
    }

    private WireMessage welcomeFrame(SessionOpener.Opened opened, @Nullable Instant expiresAt) {
        ServerSession of = opened.session();
        Protocol.Ack processed = of.welcome(peer);
        Protocol.Welcome welcome = new Protocol.Welcome(
                of.secret(),
                of.user().id(),
                opened.isResumed(),
                processed.seq(),
                processed.answers(),
                opened.isKnown(),
                opened.attached().rooms(),
                opened.attached().isPartial() ? true : null,
                new Protocol.HeartbeatMs(
                        acceptor.heartbeat().interval().toMillis(),
                        acceptor.heartbeat().timeout().toMillis()),
                new Protocol.LimitsData(
                        context.limits().messageBytes(),
                        context.limits().inflight(),
                        context.inflightBytes(),
                        context.sessionTtl().toMillis()),
                new Protocol.Spread(acceptor.spreadMs()),
                expiresAt == null ? null : expiresAt.toEpochMilli());
        return Outgoing.of(Protocol.WELCOME)
                .ts(context.scheduler().currentTimeMillis())
                .data(welcome, Protocol.Welcome.class)
                .frame();
    }
}
