package io.realtime.server.internal.session;

import io.realtime.CloseReason;
import io.realtime.ErrorCode;
import io.realtime.RealtimeException;
import io.realtime.internal.Ids;
import io.realtime.internal.Steps;
import io.realtime.server.Authentication;
import io.realtime.server.ConnectionManager;
import io.realtime.server.Limits;
import io.realtime.server.SessionOverflow;
import io.realtime.server.internal.limits.EvictionQueue;
import io.realtime.server.internal.limits.Network;
import io.realtime.server.internal.limits.TokenBuckets;
import io.realtime.spi.Handshake;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;
import org.jspecify.annotations.Nullable;

/**
 * The sessions of one server, by id, by user and by client, and the limits on their number. Its tables are concurrent
 * maps; this class holds no lock. A session adds and removes itself under its own lock.
 */
public final class SessionTable {
    private static final int MAX_CLIENT_RECORDS = 100_000;
    private static final Duration CLIENT_RECORD_TTL = Duration.ofHours(24);
    // One that is current, and others that drain.
    private static final int SESSIONS_PER_CLIENT = 4;

    private final SessionContext context;
    private final Random random;
    private final ClientRecords records;
    private final Map<String, ServerSession> sessionsById = new ConcurrentHashMap<>();
    // Sessions without a connection.
    private final EvictionQueue<ServerSession> detached = new EvictionQueue<>();
    // One permit for each session that was admitted.
    private final Semaphore places;
    private final TokenBuckets failedResumptions;
    private final ConnectionManager connections;

    public SessionTable(SessionContext context, Random random) {
        this.context = context;
        this.random = random;
        this.records = new ClientRecords(
                context.scheduler(),
                MAX_CLIENT_RECORDS,
                CLIENT_RECORD_TTL,
                context::newMailbox,
                context.refusals()::forget);
        this.places = new Semaphore(context.limits().sessions());
        this.failedResumptions = new TokenBuckets(context.limits().failedResumptionsPerAddress(), context.scheduler());
        this.connections = new ServerConnectionManager(context, this);
    }

    public ClientRecords records() {
        return records;
    }

    /** Returns the application's access to sessions, users and rooms. */
    public ConnectionManager connections() {
        return connections;
    }

    /** Returns the sessions without a connection. A session adds and removes itself under its lock. */
    EvictionQueue<ServerSession> detached() {
        return detached;
    }

    /** Returns the session with this public id, or null. */
    @Nullable
    ServerSession session(String id) {
        return sessionsById.get(id);
    }

    /** Returns a copy of the set of all sessions. */
    public Collection<ServerSession> sessions() {
        return new ArrayList<>(sessionsById.values());
    }

    public int sessionCount() {
        return sessionsById.size();
    }

    /** Returns how many sessions have a connection. */
    public int online() {
        // The sizes are of slightly different moments.
        return Math.max(0, sessionsById.size() - detached.size());
    }

    /** Returns how many users have a session. */
    public int userCount() {
        return context.inboxes().users();
    }

    /** Returns a new session that is in no table yet: see {@link ServerSession#register}. */
    public ServerSession newSession(
            Authentication proof, boolean managed, ClientRecords.@Nullable ClientRecord record, Handshake handshake) {
        return new ServerSession(
                context, this, Ids.name(random), Ids.secret(random), proof, managed, record, handshake);
    }

    /** Puts a session into the tables. The caller holds the session's lock. */
    public void remember(ServerSession session) {
        // First, since it gives the session its number.
        context.inboxes().add(session);
        sessionsById.put(session.id(), session);
    }

    /**
     * Takes a session out of the tables, if it is in them, and closes its client's record. The caller holds the
     * session's lock.
     */
    void forget(ServerSession session) {
        if (sessionsById.remove(session.id(), session)) {
            context.inboxes().remove(session);
        }
        session.leavePlace(places);
        detached.remove(session.userId(), session);
        ClientRecords.ClientRecord record = session.record();
        if (record != null) {
            record.left(session);
            records.close(record);
        }
    }

    /**
     * Returns the session that a client may resume, or null. Secret, user and client id must match, and the session
     * must be managed.
     *
     * @throws RealtimeException with {@code rate_limited} when the client's address has tried to resume other sessions
     *     too often
     */
    public @Nullable ServerSession resumable(
            @Nullable String secret, String user, @Nullable String client, Handshake handshake) {
        ServerSession session =
                secret == null || secret.length() < Ids.NAME ? null : sessionsById.get(secret.substring(0, Ids.NAME));
        ClientRecords.ClientRecord record = session == null ? null : session.record();
        if (secret == null || session == null || record == null) {
            return null;
        }
        boolean isTheirs = session.isSecret(secret)
                && record.isOf(client)
                && record.session() == session
                && session.userId().equals(user);
        if (!isTheirs && !context.limits().failedResumptionsPerAddress().isNone()) {
            // The session exists, so this is not a client that comes back after a restart of the server.
            String address = Network.of(handshake.remote());
            long now = context.scheduler().nanoTime();
            if (failedResumptions.untilNext(address, now) > 0) {
                throw new RealtimeException(
                        ErrorCode.RATE_LIMITED,
                        "more attempts to resume other sessions than limits.failedResumptionsPerAddress");
            }
            failedResumptions.spend(address, now);
        }
        return isTheirs ? session : null;
    }

    /**
     * Returns why a client gets no new session until its earlier ones have drained, or null when it gets one.
     *
     * @param opened its record, which the new session would use; null for a plain client
     */
    public @Nullable CloseReason refusal(String user, ClientRecords.@Nullable Opened opened) {
        int most = context.limits().sessionsPerUser();
        boolean isUserBusy = context.inboxes().size(user) >= most
                && context.inboxes().sessions(user).stream()
                                .filter(ServerSession::hasEnded)
                                .count()
                        >= most;
        boolean isClientBusy = opened != null
                && (opened.uses() > SESSIONS_PER_CLIENT
                        || opened.record().mailbox().isFull());
        return isUserBusy || isClientBusy
                ? new CloseReason(CloseReason.OVERLOADED, "earlier sessions are not handled to their end yet")
                : null;
    }

    /**
     * Ends sessions that exceed a limit, to make room for a new one. Returns why the new one itself must end, or null.
     */
    public @Nullable CloseReason makeRoomFor(ServerSession created) {
        CloseReason ofUser = makeRoomOfUser(created);
        while (ofUser == null && !created.takePlace(places)) {
            CloseReason reason = new CloseReason(
                    CloseReason.OVERLOADED,
                    "the server may have " + context.limits().sessions() + " sessions, limits.sessions");
            ServerSession evicted = detached.poll();
            if (evicted == null) {
                return reason;
            }
            evicted.end(reason, ServerSession.EndReason.EVICT);
        }
        return ofUser;
    }

    private @Nullable CloseReason makeRoomOfUser(ServerSession created) {
        Limits limits = context.limits();
        int most = limits.sessionsPerUser();
        if (created.hasEnded() || context.inboxes().size(created.userId()) <= most) {
            return null;
        }
        CloseReason reason = new CloseReason(
                CloseReason.TOO_MANY_SESSIONS,
                "the user may have " + most + " sessions at a time, limits.sessionsPerUser");
        // Sessions without a connection. They end first.
        List<ServerSession> waiting = new ArrayList<>();
        List<ServerSession> connected = new ArrayList<>();
        for (ServerSession session : context.inboxes().sessions(created.userId())) {
            if (!session.hasEnded() && session.number() < created.number()) {
                (session.isConnected() ? connected : waiting).add(session);
            }
        }
        int surplus = waiting.size() + connected.size() + 1 - most;
        if (limits.sessionOverflow() == SessionOverflow.REFUSE_NEW && waiting.size() < surplus) {
            return reason;
        }
        waiting.sort(Comparator.comparing(ServerSession::number));
        connected.sort(Comparator.comparing(ServerSession::number));
        waiting.addAll(connected);
        Steps.each(
                waiting.subList(0, Math.max(0, surplus)),
                session -> session.end(reason, ServerSession.EndReason.EXCESS));
        return null;
    }
}
