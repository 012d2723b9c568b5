package io.realtime.client.internal.room;

import io.realtime.PayloadException;
import io.realtime.client.Presence;
import io.realtime.client.PresenceChange;
import io.realtime.client.RoomMember;
import io.realtime.client.internal.callback.CallbackDispatcher;
import io.realtime.client.internal.callback.CoalescedTask;
import io.realtime.internal.wire.Protocol.PresenceNotice;
import io.realtime.internal.wire.Protocol.PresentMember;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The presence of one room. The scheduler's thread keeps what the server says. The listeners are told on the callback
 * executor: each of the difference between the newest presence and the one that it was told before. So what changed
 * back meanwhile, or while there was no connection, is not told, and one task at most is queued.
 */
final class PresenceView {
    /** The bound on members; a server that shows more has a fault. */
    private static final int MOST_MEMBERS = 100_000;

    private static final long NOTHING = -1;

    final String room;
    private final CallbackDispatcher callbacks;
    private final CoalescedTask telling;
    private final List<Listening> listeners = new CopyOnWriteArrayList<>();
    // Written on the scheduler's thread.
    private volatile Presence newest = Presence.unknown();
    // Written on the callback executor.
    private volatile Presence told = Presence.unknown();
    // What others are to see; empty for nothing.
    volatile String state = "";

    // The fields from here on belong to the scheduler's thread.
    private final Map<String, RoomMember> members = new LinkedHashMap<>();
    private long version = NOTHING;
    // What the server knows of the client's wishes.
    boolean toldWatch;
    String toldState = "";
    // Whether the server may know something else.
    boolean isUncertain;
    // Counts how often the server has forgotten the wishes.
    int stay;
    // Whether a join that names the wishes is not answered yet.
    boolean isJoining;

    /** A listener, and what it was told last. */
    private static final class Listening {
        final Consumer<? super PresenceChange> listener;
        // Used on the callback executor only.
        Presence told = Presence.unknown();
        volatile boolean isClosed;

        Listening(Consumer<? super PresenceChange> listener) {
            this.listener = listener;
        }
    }

    PresenceView(String room, CallbackDispatcher callbacks) {
        this.room = room;
        this.callbacks = callbacks;
        this.telling = new CoalescedTask(callbacks::execute, this::tell);
    }

    /** Adds a listener. Returns what removes it. */
    Runnable listen(Consumer<? super PresenceChange> listener) {
        Listening mine = new Listening(listener);
        listeners.add(mine);
        return () -> {
            mine.isClosed = true;
            listeners.remove(mine);
        };
    }

    boolean isWatched() {
        return !listeners.isEmpty();
    }

    /** Returns true if nobody needs the view, and the server knows of no wish. */
    boolean isUnused() {
        return !isWatched() && state.isEmpty() && !isUncertain && !toldWatch && toldState.isEmpty();
    }

    /** Returns what the listeners were told last. */
    Presence told() {
        return told;
    }

    /**
     * Takes over what the server says.
     *
     * @param session the secret of this client's session, which begins with its public id
     * @return false if differences are missing, so that a snapshot is needed
     */
    boolean take(PresenceNotice notice, String session) {
        List<PresentMember> all = notice.members();
        Long before = notice.before();
        if (before != null && before != version) {
            return notice.version() <= version;
        }
        // Until all of it is taken over.
        version = NOTHING;
        if (before != null) {
            add(orEmpty(notice.joined()));
            add(orEmpty(notice.changed()));
            orEmpty(notice.left()).forEach(members::remove);
        } else if (all != null) {
            members.clear();
            add(all);
        } else if (notice.online() != null && notice.sessions() != null) {
            members.clear();
            update(Presence.counts(notice.online(), notice.sessions()));
            return true;
        } else {
            throw new PayloadException("presence of room '" + room + "' without members or counts");
        }
        version = notice.version();
        RoomMember self = null;
        for (RoomMember member : members.values()) {
            self = session.startsWith(member.sessionId()) ? member : self;
        }
        update(Presence.of(members.values(), self));
        return true;
    }

    private static <T> List<T> orEmpty(@Nullable List<T> list) {
        return list == null ? Collections.emptyList() : list;
    }

    // Gson leaves a missing component null, whatever its annotation.
    @SuppressWarnings("ConstantValue")
    private void add(List<PresentMember> more) {
        for (PresentMember one : more) {
            if (one == null || one.session() == null || one.session().isEmpty() || one.user() == null) {
                throw new PayloadException("a member of room '" + room + "' without a session or user");
            }
            Map<String, String> tags = one.tags() == null ? Collections.emptyMap() : one.tags();
            members.put(
                    one.session(),
                    new RoomMember(
                            one.session(),
                            one.user(),
                            tags,
                            one.state(),
                            one.connected(),
                            Instant.ofEpochMilli(one.since())));
        }
        if (members.size() > MOST_MEMBERS) {
            throw new PayloadException("more than " + MOST_MEMBERS + " members of room '" + room + "'");
        }
    }

    /** Forgets what the server has said, and what it knows: the session is not in the room. */
    void left() {
        forgotten();
        unwatched();
    }

    /** Forgets what the server has said, since it does not continue. */
    void unwatched() {
        members.clear();
        version = NOTHING;
        if (newest.kind() != Presence.Kind.UNKNOWN) {
            update(Presence.unknown());
        }
    }

    /** Notes that the server knows nothing of the client's wishes: the session is a new one. */
    void forgotten() {
        stay++;
        toldWatch = false;
        toldState = "";
        isUncertain = false;
        isJoining = false;
    }

    private void update(Presence now) {
        newest = now;
        tellSoon();
    }

    /** Has the listeners told of what is new to them. Called on any thread. */
    void tellSoon() {
        telling.post();
    }

    /** Tells each listener what is new to it; on the callback executor only. */
    private void tell() {
        Presence now = newest;
        told = now;
        for (Listening one : listeners) {
            Presence before = one.told;
            if (before == now || one.isClosed) {
                continue;
            }
            one.told = now;
            PresenceChange change = between(before, now);
            boolean isNews = before.kind() != now.kind()
                    || before.online() != now.online()
                    || before.sessions() != now.sessions()
                    || !change.joined().isEmpty()
                    || !change.changed().isEmpty()
                    || !change.left().isEmpty();
            if (isNews) {
                callbacks.call(one.listener, change, "the presence listener of room '" + room + "'");
            }
        }
    }

    /** Returns the differences between two presences. Those that are not of members count as empty. */
    private static PresenceChange between(Presence before, Presence now) {
        List<RoomMember> joined = new ArrayList<>();
        List<RoomMember> changed = new ArrayList<>();
        List<RoomMember> left = new ArrayList<>();
        if (now.kind() != Presence.Kind.COUNTS) {
            for (RoomMember member : now.members()) {
                RoomMember known = before.member(member.sessionId()).orElse(null);
                if (known == null) {
                    joined.add(member);
                } else if (!known.equals(member)) {
                    changed.add(member);
                }
            }
            for (RoomMember member : before.members()) {
                if (!now.member(member.sessionId()).isPresent()) {
                    left.add(member);
                }
            }
        }
        return new PresenceChange(now, joined, changed, left);
    }
}
