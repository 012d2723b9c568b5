package io.realtime.examples.simulation;

import io.realtime.CloseReason;
import io.realtime.Position;
import io.realtime.internal.wire.BinaryEnvelope;
import io.realtime.internal.wire.Envelope;
import io.realtime.internal.wire.Protocol;
import io.realtime.internal.wire.Protocol.PresentMember;
import io.realtime.server.Session;
import io.realtime.spi.MessageBatch;
import io.realtime.spi.WireMessage;
import io.realtime.testing.InMemoryNetwork;
import io.realtime.testing.InMemoryNetwork.Direction;
import io.realtime.testing.InMemoryNetwork.Link;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Reads along on every connection, where no client hides what a server does wrong: nothing goes to who has left, was left
 * out or never joined; what is for a session goes to it once and in the order of the log; and a server closes a connection
 * only for a reason that is there.
 */
final class Wire implements InMemoryNetwork.Tap {
    /**
     * Whom a message is for, by public session ids and by the teams of a moment: only these, unless null, without those.
     * One that a test has passed is meant as the member that it was then.
     */
    record Audience(
            @Nullable Set<String> only,
            Set<String> except,
            @Nullable String team,
            long moment,
            boolean isTested) {
        static final Audience EVERYONE = new Audience(null, Set.of(), null, 0, false);
    }

    private static final int MOST_HELLO = 16 * 1024;
    private static final int MOST_CHANGES = 7;
    private static final int PUBLIC_ID = 12; // of a session's secret, which begins with it

    private final Simulation simulation;
    private final Map<Link, Line> lines = new LinkedHashMap<>();
    private final Map<String, NavigableMap<Long, Audience>> logs = new HashMap<>(); // by room and epoch
    private final Map<String, Long> deleted = new HashMap<>(); // when, by room, epoch and offset
    private final Set<String> kicked = new HashSet<>(); // sessions
    private final Set<String> mayBeKicked = new HashSet<>();
    private final Map<String, Long> usersKicked = new HashMap<>(); // when
    private final Map<String, Line> unhandled = new HashMap<>(); // messages of plain clients
    private final List<Line> draining = new ArrayList<>();
    private final Map<String, NavigableMap<Long, String>> teams =
            new HashMap<>(); // of sessions that have changed theirs
    private long changesOfTeam;
    private long events;
    private String publishing = "";
    private Audience audience = Audience.EVERYONE;

    Wire(Simulation simulation) {
        this.simulation = simulation;
    }

    /** One connection, as far as it has come. */
    private static final class Line {
        final Link link;
        final Map<String, String> questions = new HashMap<>(); // the protocol's own, by ref
        final Map<String, Place> rooms = new LinkedHashMap<>();
        final Map<String, Shown> presences = new LinkedHashMap<>();
        final Map<String, Integer> waiting =
                new LinkedHashMap<>(); // of a plain client: the length of what is not handled
        long begun;
        boolean isManaged;
        int waitingBytes;
        long fullSince = Long.MAX_VALUE;
        boolean wasSilent; // for too long, before a pause of the server
        String session = "";
        String user = "";

        @Nullable
        CloseReason closing;

        Line(Link link, long begun) {
            this.link = link;
            this.begun = begun;
        }

        boolean isWelcome() {
            return !session.isEmpty();
        }

        @Override
        public String toString() {
            return "the connection of " + session + " of " + user;
        }
    }

    /** How far a connection was sent a room. */
    private static final class Place {
        final String epoch;
        final long begun;
        long offset;

        Place(String epoch, long offset, long begun) {
            this.epoch = epoch;
            this.offset = offset;
            this.begun = begun;
        }
    }

    /** Who is in a room, as a connection was told. */
    private static final class Shown {
        final Map<String, PresentMember> members = new LinkedHashMap<>();
        long version;
        // The counts, while only these are told.
        @Nullable
        Integer online;

        @Nullable
        Integer sessions;
    }

    // ---------------------------------------------------------------- what the application says

    /** The application is about to publish to a room; a user's inbox has the user's name in it. */
    void publishes(String room, Audience whom) {
        publishing = room;
        audience = whom;
    }

    void published(String room, String epoch, long offset) {
        log(room, epoch).put(offset, audience);
        publishing = "";
    }

    void publishesNothing() {
        publishing = "";
    }

    /** The application has deleted a message: who comes from now on is not to get it. */
    void deleted(String room, Position at) {
        NavigableMap<Long, Audience> log = log(room, at.epoch());
        Audience whom = log.get(at.offset());
        if (whom != null) {
            log.put(at.offset(), new Audience(whom.only, whom.except, whom.team, whom.moment, true));
        }
        deleted.put(room + " " + at, ++events);
    }

    /** The application has ended a session for good. */
    void kicked(String session) {
        kicked.add(session);
    }

    /** The application has ended a session of the same client. */
    void mayBeKicked(String session) {
        mayBeKicked.add(session);
    }

    boolean isKicked(String session) {
        return kicked.contains(session);
    }

    void userKicked(String user) {
        usersKicked.put(user, ++events);
    }

    /** A handler begins with a message, or it was refused. */
    void handled(String message) {
        Line line = unhandled.remove(message);
        Integer length = line == null ? null : line.waiting.remove(message);
        if (line != null && length != null) {
            line.waitingBytes -= length;
        }
    }

    // ---------------------------------------------------------------- what is sent

    @Override
    public void opened(Link link) {
        lines.put(link, new Line(link, ++events));
    }

    @Override
    public void over(Link link) {
        Line line = lines.remove(link);
        if (line != null) {
            line.waiting.keySet().forEach(unhandled::remove);
        }
    }

    @Override
    public void arrived(Link link, Direction direction, WireMessage frame) {
        Line line = lines.get(link);
        if (direction != Direction.TO_SERVER || line == null) {
            return;
        }
        Envelope envelope = frame.isText() ? Envelope.parse(frame.asText()) : BinaryEnvelope.parse(frame.payload());
        if (envelope.type().equals(Protocol.HELLO)) {
            line.begun = ++events;
            line.isManaged = true;
            if (frame.length() > MOST_HELLO) {
                broken(line, "a $hello of " + frame.length() + " bytes");
            }
        } else if (envelope.isProtocol() && envelope.ref() != null) {
            line.questions.put(envelope.ref(), envelope.type());
        } else if (!line.isManaged && envelope.ref() != null && line.isWelcome()) {
            checkMailbox(line);
            String message = envelope.ref();
            line.waiting.put(message, frame.length());
            line.waitingBytes += frame.length();
            unhandled.put(message, line);
        }
    }

    /** A full mailbox closes at once; but when a token has expired before, a thread that is late does it. */
    private long latestCloseNanos() {
        Setup setup = simulation.setup;
        return setup.tokensExpire()
                ? Duration.ofMillis(setup.longestHandlerMs()).toNanos()
                : 0;
    }

    /** What a plain client sends is handled or refused, and what waits meanwhile is bounded. */
    private void checkMailbox(Line line) {
        if (kicked.contains(line.session) || simulation.server.isClosing()) {
            return; // what waited was dropped, what comes is not taken, and the close comes behind what is under way
        }
        int most = simulation.setup.limits().mailbox() + 1; // and one is being handled
        int mostBytes = 18 * simulation.setup.limits().messageBytes()
                + 1024 * simulation.setup.limits().inflight();
        long now = simulation.time.nanoTime();
        if (line.waiting.size() <= most && line.waitingBytes <= mostBytes) {
            line.fullSince = Long.MAX_VALUE;
        } else if (line.closing == null && now - line.fullSince > latestCloseNanos()) {
            broken(line, line.waiting.size() + " messages of " + line.waitingBytes + " bytes wait, not closed");
        } else {
            line.fullSince = Math.min(line.fullSince, now);
        }
    }

    @Override
    public void sent(Link link, Direction direction, MessageBatch batch) {
        Line line = lines.get(link);
        if (direction != Direction.TO_CLIENT || line == null) {
            return;
        }
        int bytes = batch.frames().stream().mapToInt(WireMessage::length).sum();
        if (batch.frames().size() > 1 && bytes > simulation.setup.limits().outboundBytes() / 4) {
            broken(line, "a batch of " + batch.frames().size() + " frames has " + bytes + " bytes");
        }
        for (WireMessage frame : batch.frames()) {
            Envelope envelope =
                    frame.isText() ? Envelope.parseFromServer(frame.asText()) : BinaryEnvelope.parse(frame.payload());
            if (envelope.isProtocol()) {
                protocol(line, envelope);
            } else if (envelope.room() != null) {
                message(line, envelope.room(), envelope.offset());
            }
        }
    }

    private void protocol(Line line, Envelope envelope) {
        String ref = envelope.ref();
        String room = envelope.room();
        if (simulation.isTraced() && line.isManaged && (room == null || !room.equals("@session"))) {
            simulation.trace("    " + line.session + " is sent " + envelope + " " + ref + " " + room);
        }
        switch (envelope.type()) {
            case Protocol.WELCOME -> welcome(line, envelope.data(Protocol.Welcome.class));
            case Protocol.JOINED -> joined(line, String.valueOf(room), envelope.data(Protocol.JoinReply.class));
            case Protocol.LEFT -> left(line, room);
            case Protocol.PRESENCE ->
                presence(line, String.valueOf(room), envelope.data(Protocol.PresenceNotice.class));
            case Protocol.DELETED -> message(line, String.valueOf(room), envelope.offset());
            case Protocol.GAP -> {
                Protocol.GapNotice gap = envelope.data(Protocol.GapNotice.class);
                if (!"@session".equals(room)) {
                    if (!line.rooms.containsKey(room)) {
                        broken(line, "it is told of a gap in " + room + ", where it is not");
                    }
                    // What was deleted while the gap waited for the connection may follow it.
                    Place before = line.rooms.get(room);
                    long begun = before == null ? ++events : before.begun;
                    line.rooms.put(room, new Place(gap.epoch(), gap.offset(), begun));
                }
            }
            case Protocol.REPLY -> {
                String question = ref == null ? null : line.questions.remove(ref);
                if (Protocol.JOIN.equals(question)) {
                    joined(line, String.valueOf(room), envelope.data(Protocol.JoinReply.class));
                } else if (Protocol.REJOIN.equals(question)) {
                    envelope.<Protocol.RejoinReply>data(Protocol.RejoinReply.class)
                            .rooms()
                            .forEach((name, rejoined) -> rejoined(line, name, rejoined));
                } else if (Protocol.LEAVE.equals(question)) {
                    left(line, room);
                }
            }
            case Protocol.ERROR -> {
                String question = ref == null ? null : line.questions.remove(ref);
                if (Protocol.JOIN.equals(question)) {
                    left(line, room);
                } else if (ref != null && question == null) {
                    handled(ref);
                }
            }
            default -> {}
        }
    }

    private void welcome(Line line, Protocol.Welcome welcome) {
        if (line.isWelcome()) {
            broken(line, "it is welcomed twice");
        }
        line.session = welcome.session().substring(0, PUBLIC_ID);
        line.user = String.valueOf(welcome.user());
        welcome.rooms().forEach((room, state) -> {
            if (!room.equals("@session") && !"unauthorized".equals(state.reason())) {
                line.rooms.put(room, new Place(state.epoch(), state.offset(), ++events));
            }
        });
        if (kicked.contains(line.session)) {
            broken(line, "it is welcomed in a session that was ended for good");
        }
        if (usersKicked.getOrDefault(line.user, 0L) > line.begun) {
            broken(line, "it is welcomed though its user was disconnected while it asked to be let in");
        }
    }

    private void joined(Line line, String room, Protocol.JoinReply at) {
        line.rooms.put(room, new Place(at.epoch(), at.offset(), ++events));
    }

    private void rejoined(Line line, String room, Protocol.Rejoined rejoined) {
        String epoch = rejoined.epoch();
        if (rejoined.error() == null && epoch != null) {
            line.rooms.put(room, new Place(epoch, rejoined.offset(), ++events));
        } else {
            left(line, room);
        }
    }

    private static void left(Line line, @Nullable String room) {
        line.rooms.remove(room);
        line.presences.remove(room);
    }

    /** Differences continue from what the connection was told last, and each is one. */
    private void presence(Line line, String room, Protocol.PresenceNotice notice) {
        Shown shown = line.presences.computeIfAbsent(room, name -> new Shown());
        if (!line.rooms.containsKey(room)) {
            broken(line, "it is told who is in " + room + ", where it is not");
        }
        if (notice.version() < shown.version) {
            broken(line, "the presence of " + room + " goes back from " + shown.version + " to " + notice.version());
        }
        shown.online = notice.online();
        shown.sessions = notice.sessions();
        if (notice.before() == null) {
            shown.members.clear();
            orEmpty(notice.members()).forEach(member -> shown.members.put(member.session(), member));
        } else if (notice.before() != shown.version) {
            broken(line, "it is told differences from " + notice.before() + ", and is at " + shown.version);
        }
        for (PresentMember member : orEmpty(notice.joined())) {
            if (shown.members.put(member.session(), member) != null) {
                broken(line, "it is told twice that " + member + " has joined " + room);
            }
        }
        for (PresentMember member : orEmpty(notice.changed())) {
            PresentMember before = shown.members.put(member.session(), member);
            if (before == null || before.equals(member)) {
                broken(line, "it is told that " + member + " has changed from " + before);
            }
        }
        for (String session : orEmpty(notice.left())) {
            if (shown.members.remove(session) == null) {
                broken(line, "it is told that " + session + " has left " + room + ", where it was not");
            }
        }
        shown.version = notice.version();
    }

    private static <T> List<T> orEmpty(@Nullable List<T> list) {
        return list == null ? List.of() : list;
    }

    /** Checks that a connection was told who is in a room now. Nobody has just been lost. */
    private void requirePresent(Line line, String room, Shown shown) {
        List<Session> members = simulation.server.members(room);
        Set<String> connected =
                members.stream().filter(Session::isConnected).map(Session::id).collect(Collectors.toSet());
        boolean isTrue = shown.online == null
                ? shown.members.keySet().equals(connected)
                : shown.online == connected.size() && Objects.equals(shown.sessions, members.size());
        if (!isTrue) {
            broken(
                    line,
                    "it was told that " + shown.members.keySet() + " or " + shown.online + " of " + shown.sessions
                            + " are in " + room + ", and that is " + connected + " of " + members.size());
        }
    }

    private void message(Line line, String room, long offset) {
        if (room.equals("@session")) {
            return;
        }
        Place place = line.rooms.get(room);
        if (place == null) {
            broken(line, "it is sent " + offset + " of " + room + ", where it is not");
            return;
        }
        if (offset == 0) {
            return; // ephemeral
        }
        String key = key(line, room);
        Audience whom = log(key, place.epoch).get(offset);
        if (whom == null && key.equals(publishing)) {
            whom = audience;
        }
        if (whom == null || !isFor(line, whom)) {
            broken(
                    line,
                    "it is sent " + offset + " of " + room + ", which is " + (whom == null ? "nothing" : "not for it"));
        }
        Long gone = deleted.get(key + " " + new Position(place.epoch, offset));
        if (gone != null && gone < place.begun) {
            broken(line, "it is sent " + offset + " of " + room + ", which was deleted before it came");
        }
        if (offset <= place.offset) {
            broken(line, "it is sent " + offset + " of " + room + " behind " + place.offset);
            return;
        }
        Long missing = missing(line, key, place, offset - 1);
        if (missing != null) {
            broken(line, "it is sent " + offset + " of " + room + " before " + missing);
        }
        place.offset = offset;
    }

    /** Returns the first offset that the connection should have been sent, or null. */
    private @Nullable Long missing(Line line, String key, Place place, long upTo) {
        if (upTo <= place.offset) {
            return null;
        }
        for (Map.Entry<Long, Audience> entry :
                log(key, place.epoch).subMap(place.offset, false, upTo, true).entrySet()) {
            // A session that passed a filter, left and joined again is another member.
            if (!entry.getValue().isTested() && isFor(line, entry.getValue())) {
                return entry.getKey();
            }
        }
        return null;
    }

    private boolean isFor(Line line, Audience whom) {
        return (whom.only == null || whom.only.contains(line.session))
                && !whom.except.contains(line.session)
                && (whom.team == null || whom.team.equals(team(line, whom.moment)));
    }

    private String team(Line line, long moment) {
        Map.Entry<Long, String> change = teams.getOrDefault(line.session, Collections.emptyNavigableMap())
                .floorEntry(moment);
        return change == null ? ServerLife.team(line.user) : change.getValue();
    }

    /** A session changes its team. Returns false if it has done so too often for a server to remember. */
    boolean changesTeam(String session, String team) {
        NavigableMap<Long, String> changes = teams.computeIfAbsent(session, id -> new TreeMap<>());
        if (changes.size() == MOST_CHANGES) {
            return false;
        }
        changes.put(++changesOfTeam, team);
        return true;
    }

    /** Returns the audience of a message to a team as it is now. */
    Audience ofTeam(String team) {
        return new Audience(null, Set.of(), team, changesOfTeam, false);
    }

    private static String key(Line line, String room) {
        return room.equals("@user") ? "@user:" + line.user : room;
    }

    private NavigableMap<Long, Audience> log(String room, String epoch) {
        return logs.computeIfAbsent(room + " " + epoch, name -> new TreeMap<>());
    }

    // ---------------------------------------------------------------- what is closed

    @Override
    public void closing(Link link, Direction direction, CloseReason reason) {
        Line line = lines.get(link);
        if (direction != Direction.TO_CLIENT || line == null || line.closing != null) {
            return;
        }
        line.closing = reason;
        simulation.trace("the server closes " + line + ": " + reason);
        if (reason.code() == CloseReason.DRAINING && line.isWelcome()) {
            draining.add(line);
        }
        if (!isReason(line, reason)) {
            broken(line, "the server closes it for no reason: " + reason);
        }
    }

    /** What the server has decided to close by now, it closes when it goes on. */
    void serverPauses() {
        lines.values().forEach(line -> line.wasSilent |= isSilent(line));
    }

    private boolean isSilent(Line line) {
        Duration silence = line.link.longestSilence(Direction.TO_SERVER);
        return silence.compareTo(simulation.setup.heartbeat().timeout()) >= 0;
    }

    private boolean isReason(Line line, CloseReason reason) {
        Setup setup = simulation.setup;
        return switch (reason.code()) {
            case CloseReason.HEARTBEAT_TIMEOUT -> // once it is decided, the thread that does it may be late
                isSilent(line)
                        && (line.wasSilent
                                || simulation.server.hasRunFor(
                                        setup.heartbeat().interval().dividedBy(2)));
            case CloseReason.HELLO_TIMEOUT -> !line.isWelcome();
            case CloseReason.TOKEN_EXPIRED -> setup.tokensExpire();
            case CloseReason.KICKED ->
                line.isWelcome()
                        ? mayBeKicked.contains(line.session) || usersKicked.containsKey(line.user)
                        : !kicked.isEmpty() || !usersKicked.isEmpty(); // only the server knows whose it would be
            case CloseReason.SESSION_REPLACED, CloseReason.OVERLOADED, CloseReason.RATE_LIMITED -> true;
            case CloseReason.SLOW_CONSUMER -> !setup.isWide() || line.link.outboundBytes(Direction.TO_CLIENT) > 1 << 19;
            case CloseReason.WEBSOCKET_PROTOCOL_ERROR -> simulation.faults.hasDamaged();
            case CloseReason.DRAINING, CloseReason.GOING_AWAY -> simulation.server.isClosing();
            default -> false;
        };
    }

    // ---------------------------------------------------------------- when nothing is on its way

    /** Checks that each connection that a server has closed to drain was sent before what was published before. */
    void requireHandedOver() {
        draining.forEach(this::requireComplete);
        draining.clear();
    }

    /** Checks that each open connection was sent everything that is for it, and is where its session is. */
    void requireSettled(Map<String, Set<String>> roomsOfSessions) {
        for (Line line : lines.values()) {
            if (line.closing == null && line.isWelcome()) {
                requireComplete(line);
                Set<String> told = new HashSet<>(line.rooms.keySet());
                told.removeIf(room -> room.startsWith("@"));
                Set<String> is = roomsOfSessions.get(line.session);
                if (!told.equals(is)) {
                    broken(line, "it was told that it is in " + told + ", and is in " + is);
                }
                line.presences.forEach((room, shown) -> requirePresent(line, room, shown));
            }
        }
    }

    private void requireComplete(Line line) {
        List<String> all = new ArrayList<>(line.rooms.keySet());
        for (String room : all) {
            Place place = line.rooms.get(room);
            Long missing = place == null ? null : missing(line, key(line, room), place, Long.MAX_VALUE);
            if (missing != null) {
                broken(line, "it was never sent " + missing + " of " + room);
            }
        }
    }

    private void broken(Line line, String what) {
        simulation.history.broken(line + ": " + what);
    }
}
