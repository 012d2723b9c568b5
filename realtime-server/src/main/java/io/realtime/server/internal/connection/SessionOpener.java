package io.realtime.server.internal.connection;

import io.realtime.CloseReason;
import io.realtime.RealtimeException;
import io.realtime.internal.Ids;
import io.realtime.internal.wire.Protocol;
import io.realtime.server.Authentication;
import io.realtime.server.internal.session.ClientRecords;
import io.realtime.server.internal.session.LoginBars;
import io.realtime.server.internal.session.Memberships;
import io.realtime.server.internal.session.ServerSession;
import io.realtime.server.internal.session.SessionContext;
import io.realtime.server.internal.session.SessionTable;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The way from an authenticated {@code $hello} to a session: the one that the client resumes, or a new one. Made for one
 * connection, and used by one thread at a time.
 */
final class SessionOpener {
    private static final CloseReason OVERTAKEN =
            new CloseReason(CloseReason.SESSION_REPLACED, "a newer connection has the session");

    private final Peer peer;
    private final boolean managed;
    private final SessionContext context;
    private final SessionTable table;
    // Of the connection: a disconnect that comes meanwhile bars it.
    private final LoginBars.Ticket admission;
    // The new session that was made for the connection.
    private @Nullable ServerSession fresh;

    SessionOpener(Peer peer, boolean managed, PeerAcceptor acceptor, LoginBars.Ticket admission) {
        this.peer = peer;
        this.managed = managed;
        this.context = acceptor.context();
        this.table = acceptor.table();
        this.admission = admission;
    }

    /** What has become of an attempt. */
    sealed interface Result {}

    /**
     * The connection has the session.
     *
     * @param isKnown whether the server has a record of the client from before
     */
    record Opened(ServerSession session, Memberships.Attached attached, boolean isResumed, boolean isKnown)
            implements Result {}

    /** The connection gets no session, and is to be closed. */
    record Refused(CloseReason reason) implements Result {}

    /** A session that may be resumed once the join rule was asked about its rooms; null for a new one. */
    record Found(@Nullable ServerSession resumed) implements Result {}

    /** Finds the session to resume. */
    Result find(Protocol.Hello hello, Authentication proof) {
        ServerSession resumed;
        try {
            resumed = table.resumable(hello.session(), proof.user(), hello.client(), peer.handshake());
        } catch (RealtimeException tooOften) {
            return new Refused(new CloseReason(CloseReason.RATE_LIMITED, tooOften.getMessage()));
        }
        if (resumed != null && resumed.takeResumption() > 0) {
            String why = "the session was resumed more often than limits.resumptionsPerSession, "
                    + context.limits().resumptionsPerSession();
            return new Refused(new CloseReason(CloseReason.RATE_LIMITED, why));
        }
        // Each connection puts at least one task into it.
        if (resumed != null && resumed.mailbox().isFull()) {
            return new Refused(Peer.overloaded(context.limits()));
        }
        return new Found(resumed);
    }

    /**
     * Gives the connection a session.
     *
     * @param resumed the session to resume, or null for a new one
     * @param forbidden rooms that the session may no longer be in
     */
    Result open(Protocol.Hello hello, Authentication proof, @Nullable ServerSession resumed, Set<String> forbidden) {
        ServerSession.ResumeRequest claim = new ServerSession.ResumeRequest(
                peer,
                hello.positions() == null ? Map.of() : hello.positions(),
                Boolean.TRUE.equals(hello.partial()),
                forbidden);
        Memberships.Attached attached = resumed == null ? null : resumed.attach(claim);
        if (resumed != null && attached != null) {
            return attached.rooms().isEmpty() ? new Refused(OVERTAKEN) : new Opened(resumed, attached, true, true);
        }
        // There is no session to resume, or it has ended meanwhile.
        return begin(hello, proof, claim);
    }

    private Result begin(Protocol.Hello hello, Authentication proof, ServerSession.ResumeRequest claim) {
        ClientRecords.Opened opened = managed ? table.records().open(proof.user(), hello.client()) : null;
        CloseReason busy = table.refusal(proof.user(), opened);
        if (busy != null) {
            if (opened != null) {
                table.records().close(opened.record());
            }
            return new Refused(busy);
        }
        ServerSession made = newSession(proof, opened == null ? null : opened.record());
        CloseReason barred = context.admissions().admit(admission, names(hello, proof), made::register);
        if (barred != null) {
            return refused(made, barred);
        }
        replaceOlder(made);
        made.memberships().inherit();
        Memberships.Attached attached = made.attach(claim);
        if (attached == null) {
            CloseReason why = made.ended();
            // The session may be about to end.
            return new Refused(why == null ? OVERTAKEN : why);
        }
        if (attached.rooms().isEmpty()) {
            return refused(made, OVERTAKEN);
        }
        // Only a connection that has its session may end other sessions.
        CloseReason excess = table.makeRoomFor(made);
        return excess == null
                ? new Opened(made, attached, false, opened != null && opened.known())
                : refused(made, excess);
    }

    private static Result refused(ServerSession made, CloseReason reason) {
        made.end(reason, ServerSession.EndReason.DRAIN);
        return new Refused(reason);
    }

    private ServerSession newSession(Authentication proof, ClientRecords.@Nullable ClientRecord record) {
        try {
            ServerSession made = table.newSession(proof, managed, record, peer.handshake());
            fresh = made;
            return made;
        } catch (Throwable failure) {
            if (record != null) {
                table.records().close(record);
            }
            throw failure;
        }
    }

    /** Returns the keys under which a disconnect may have barred this new session. */
    private static List<LoginBars.Key> names(Protocol.Hello hello, Authentication proof) {
        List<LoginBars.Key> names = new ArrayList<>();
        names.add(LoginBars.Key.user(proof.user()));
        if (hello.client() != null) {
            names.add(LoginBars.Key.client(proof.user(), hello.client()));
        }
        if (hello.session() != null && hello.session().length() >= Ids.NAME) {
            names.add(LoginBars.Key.session(hello.session().substring(0, Ids.NAME)));
        }
        return names;
    }

    /** Makes a new session the client's current one, and ends the one before, unless the client has a newer one. */
    private void replaceOlder(ServerSession created) {
        ClientRecords.ClientRecord record = created.record();
        ServerSession gone = record == null ? null : record.take(created, peer.number());
        if (gone != null && gone != created) {
            gone.end(
                    new CloseReason(CloseReason.SESSION_REPLACED, "the client has begun another session"),
                    ServerSession.EndReason.DRAIN);
        }
    }

    /** Ends the session that was made, if one was, after a failure. */
    void abandon(CloseReason reason) {
        ServerSession made = fresh;
        if (made != null) {
            made.end(reason, ServerSession.EndReason.DRAIN);
        }
    }
}
