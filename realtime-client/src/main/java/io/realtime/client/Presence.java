package io.realtime.client;

import java.util.ArrayList;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** Who is in a room at one moment: its members, or in a large room only how many. Immutable. */
public final class Presence {
    private static final Presence UNKNOWN = new Presence(Kind.UNKNOWN, Collections.emptyList(), 0, 0, null);

    private final Kind kind;
    // By the id of the session.
    private final Map<String, RoomMember> members = new LinkedHashMap<>();
    private final int online;
    private final int sessions;
    private final @Nullable RoomMember self;

    /** How much is known. */
    public enum Kind {
        /** Nothing: the server has not told yet, the client is not in the room, or the room has no presence. */
        UNKNOWN,
        /** Each member. */
        MEMBERS,
        /** How many members there are. The room has more than the server tells one by one. */
        COUNTS
    }

    private Presence(Kind kind, Collection<RoomMember> members, int online, int sessions, @Nullable RoomMember self) {
        this.kind = kind;
        for (RoomMember member : members) {
            this.members.put(member.sessionId(), member);
        }
        this.online = online;
        this.sessions = sessions;
        this.self = self;
    }

    /** Returns a presence of which nothing is known. */
    public static Presence unknown() {
        return UNKNOWN;
    }

    /**
     * Returns a presence of these members.
     *
     * @param self this client's own member, or null
     */
    public static Presence of(Collection<RoomMember> members, @Nullable RoomMember self) {
        int online = 0;
        for (RoomMember member : members) {
            online += member.connected() ? 1 : 0;
        }
        return new Presence(Kind.MEMBERS, members, online, members.size(), self);
    }

    /** Returns a presence of which only the counts are known. */
    public static Presence counts(int online, int sessions) {
        return new Presence(Kind.COUNTS, Collections.emptyList(), online, sessions, null);
    }

    /** Returns how much is known. */
    public Kind kind() {
        return kind;
    }

    /** Returns the members in the order in which they came, this client's own session included; empty if unknown. */
    public List<RoomMember> members() {
        return Collections.unmodifiableList(new ArrayList<>(members.values()));
    }

    /** Returns the member with this public session id. */
    public Optional<RoomMember> member(String sessionId) {
        return Optional.ofNullable(members.get(sessionId));
    }

    /** Returns the members by user: one entry for each user, with all of the user's sessions in the room. */
    public Map<String, List<RoomMember>> byUser() {
        Map<String, List<RoomMember>> users = new LinkedHashMap<>();
        for (RoomMember member : members.values()) {
            users.computeIfAbsent(member.userId(), user -> new ArrayList<>()).add(member);
        }
        return users;
    }

    /** Returns this client's own session; empty if it is not among the members, or these are not known. */
    public Optional<RoomMember> self() {
        return Optional.ofNullable(self);
    }

    /** Returns how many sessions have a connection. */
    public int online() {
        return online;
    }

    /** Returns how many sessions there are, including those without a connection. */
    public int sessions() {
        return sessions;
    }

    @Override
    public String toString() {
        return "Presence{" + kind + ", " + online + " of " + sessions + " online}";
    }
}
