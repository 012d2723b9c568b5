package io.realtime.testing;

import io.realtime.Position;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A record of what happened to the messages of a test run. It checks the promises of {@code docs/delivery.md}. The test
 * reports events of both sides as they happen. A broken promise is recorded immediately; {@link #requireKept} reports
 * it.
 *
 * <p>The promises for messages from a client to the server: each acknowledged message was handled. In one life of the
 * server's memory each message is handled at most once, and in the order of sending. A message that is handled again in
 * a later life is marked redelivered. No message is missing, unless the client was notified.
 *
 * <p>The promises for messages from a room to its members: from the member's start, each message that is meant for it
 * arrives once and in the order of offsets. A gap is reported before it shows.
 *
 * <p>For one thread.
 */
public final class DeliveryHistory {
    private final @Nullable Consumer<String> trace;
    private final List<String> broken = new ArrayList<>();
    private final Map<String, Sender> senders = new LinkedHashMap<>();
    private final Map<String, Log> logs = new LinkedHashMap<>();
    private final Map<String, Member> members = new LinkedHashMap<>();
    private long events;

    /** Creates a history without a trace. */
    public DeliveryHistory() {
        this(null);
    }

    /**
     * Creates a history with a trace.
     *
     * @param trace receives each event as a line; null for none
     */
    public DeliveryHistory(@Nullable Consumer<String> trace) {
        this.trace = trace;
    }

    // ---------------------------------------------------------------- from clients to the server

    /** Records that a client instance sends a reliable message; its text must be unique within a client. */
    public void sent(String client, String message) {
        note(() -> String.format("%s sends %s", client, message));
        sender(client).sent(message);
    }

    /** Records that the client was notified that its message is processed. */
    public void acknowledged(String client, String message) {
        note(() -> String.format("%s is told that %s is processed", client, message));
        Sent sent = sender(client).find(message);
        if (sent.handledIn.isEmpty()) {
            broken(String.format("%s was told that %s is processed, but no handler has seen it", client, message));
        }
        if (sent.isSettled) {
            broken(String.format("%s was told the fate of %s twice", client, message));
        }
        sent.isSettled = true;
    }

    /**
     * Records that the client was notified that its message may not have arrived, or that it died before the message
     * was in durable storage.
     */
    public void gaveUp(String client, String message, String why) {
        note(() -> String.format("%s gives %s up: %s", client, message, why));
        Sent sent = sender(client).find(message);
        sent.isSettled = true;
        sent.isGivenUp = true;
    }

    /**
     * Records that the client's process died with the message in durable storage: it must be handled, but no client is
     * left to notify.
     */
    public void orphaned(String client, String message) {
        note(() -> String.format("%s leaves %s to the next process that opens its file", client, message));
        sender(client).find(message).isSettled = true;
    }

    /**
     * Records that a handler of the server has finished with a message.
     *
     * @param life names the server's memory, from its start to its crash
     */
    public void handled(String life, String client, String message, boolean redelivered) {
        note(() -> String.format("%s handles %s of %s%s", life, message, client, redelivered ? ", redelivered" : ""));
        Sender sender = sender(client);
        Sent sent = sender.find(message);
        if (!sent.handledIn.isEmpty() && !redelivered) {
            broken(String.format(
                    "%s handled %s of %s again without its being marked redelivered", life, message, client));
        }
        if (!sent.handledIn.add(life)) {
            broken(String.format("%s handled %s of %s twice", life, message, client));
        }
        int last = sender.lastHandled.getOrDefault(life, -1);
        if (sent.index < last) {
            broken(String.format("%s handled %s of %s behind %s", life, message, client, sender.all.get(last).message));
        } else if (sent.overtakenBy != null && !sent.isGivenUp) {
            broken(sent.overtakenBy + " before " + message + ", which was sent earlier");
        }
        sender.lastHandled.put(life, Math.max(last, sent.index));
        while (sender.firstOpen < sent.index && sender.isDone(sender.firstOpen)) {
            sender.firstOpen++;
        }
        for (int i = sender.firstOpen; i < sent.index; i++) { // its client may not know yet that it was dropped
            Sent open = sender.all.get(i);
            if (open.overtakenBy == null && !sender.isDone(i)) {
                open.overtakenBy = String.format("%s handled %s of %s", life, message, client);
            }
        }
    }

    // ---------------------------------------------------------------- from rooms to their members

    /**
     * Records that the server published a message.
     *
     * @param room names the log; for a user's inbox include the user's name
     * @param at null for an ephemeral message, for which there is no promise
     * @param optionalFor members that need not get it
     */
    public void published(String room, @Nullable Position at, String message, Collection<String> optionalFor) {
        if (at != null) {
            published(room, at, new Entry(message, Set.copyOf(optionalFor)));
        }
    }

    /**
     * Records that the server published a message with a filter: no member needs to get it, also none that joins later.
     */
    public void publishedToSome(String room, Position at, String message) {
        published(room, at, new Entry(message, null));
    }

    private void published(String room, Position at, Entry entry) {
        note(() -> String.format("%s publishes %s at %s", room, entry, at));
        if (log(room).epoch(at.epoch()).put(at.offset(), entry) != null) {
            broken(String.format("%s published two messages at %s", room, at));
        }
        log(room).newestEpoch = at.epoch();
    }

    /** Records that the server deleted a message: no member needs to get it from now on. */
    public void deleted(String room, Position at) {
        note(() -> String.format("%s deletes %s", room, at));
        log(room).epoch(at.epoch()).computeIfPresent(at.offset(), (offset, entry) -> new Entry(entry.message, null));
    }

    /** Records that a member's application was told that a message was deleted: it must not get the message later. */
    public void toldDeleted(String member, String room, Position at) {
        note(() -> String.format("%s is told that %s of %s is deleted", member, at, room));
        member(member, room).toldDeleted.add(at);
    }

    /**
     * Records that a member begins to read a room.
     *
     * @param from the position before the first message that it gets; null if it is not known, then the first message
     *     shows it
     */
    public void joined(String member, String room, @Nullable Position from) {
        note(() -> String.format("%s reads %s from %s", member, room, from == null ? "where it is let in" : from));
        if (from != null) {
            log(room).epoch(from.epoch());
        }
        member(member, room).moveTo(from);
    }

    /** Records that a member no longer reads a room. */
    public void left(String member, String room) {
        note(() -> String.format("%s leaves %s", member, room));
        member(member, room).isReading = false;
    }

    /**
     * Returns whether a member reads a room: it has {@linkplain #joined joined}, and has not {@linkplain #left left}.
     */
    public boolean isReading(String member, String room) {
        return member(member, room).isReading;
    }

    /**
     * Records that a member was notified of a gap: it must reload what it has read, and the messages that follow are
     * after a position.
     */
    public void gap(String member, String room, Position to) {
        note(() -> String.format("%s is told of a gap in %s up to %s", member, room, to));
        log(room).epoch(to.epoch());
        member(member, room).moveTo(to);
    }

    /** Records that a member's application got a message. */
    public void delivered(String member, String room, @Nullable Position at, String message) {
        note(() -> String.format("%s gets %s of %s at %s", member, message, room, at));
        Member reader = member(member, room);
        if (at == null) {
            broken(String.format("%s got %s of %s without its place", member, message, room));
            return;
        }
        Entry entry = log(room).epoch(at.epoch()).get(at.offset());
        if (entry == null || !entry.message.equals(message)) {
            broken(String.format("%s got %s of %s at %s, where %s stands", member, message, room, at, entry));
            return;
        }
        entry.reached = true;
        if (reader.toldDeleted.contains(at)) {
            broken(String.format("%s got %s of %s, of which it was told that it is deleted", member, message, room));
        }
        if (!reader.isReading) {
            broken(String.format("%s got %s of %s, which it does not read", member, message, room));
        }
        Position last = reader.position;
        if (last != null) {
            if (!last.epoch().equals(at.epoch())) {
                broken(String.format(
                        "%s got %s of %s at %s behind %s without being told of a gap",
                        member, message, room, at, last));
            } else if (at.offset() <= last.offset()) {
                broken(String.format(
                        "%s got %s of %s at %s again or too late, behind %s", member, message, room, at, last));
            } else {
                String missing = missing(reader, last, at.offset() - 1);
                if (missing != null) {
                    broken(String.format("%s got %s of %s before %s", member, message, room, missing));
                }
            }
        }
        reader.position = at;
    }

    /** Returns the first message within a range that the member should have got, or null if there is none. */
    private @Nullable String missing(Member reader, Position after, long upTo) {
        NavigableMap<Long, Entry> entries = log(reader.room).epoch(after.epoch());
        if (upTo <= after.offset()) {
            return null;
        }
        for (Map.Entry<Long, Entry> entry :
                entries.subMap(after.offset(), false, upTo, true).entrySet()) {
            if (!entry.getValue().isOptionalFor(reader.member)) {
                return entry.getValue().message + " at " + entry.getKey();
            }
        }
        return null;
    }

    // ---------------------------------------------------------------- the end

    /** Checks that nothing is in flight: each message has an outcome, and each reader has read to the end. */
    public void settled() {
        note(() -> "all is settled");
        senders.forEach((client, sender) -> {
            for (Sent sent : sender.all) {
                if (!sent.isSettled) {
                    broken(String.format("%s was never told the fate of %s", client, sent.message));
                }
                if (sent.handledIn.isEmpty() && !sent.isGivenUp) {
                    broken(String.format("%s of %s was never handled", sent.message, client));
                }
            }
        });
        for (Member reader : members.values()) {
            Position last = reader.position;
            if (!reader.isReading || last == null) {
                continue;
            }
            Log log = log(reader.room);
            String missing = missing(reader, last, Long.MAX_VALUE);
            if (missing != null) {
                broken(String.format("%s never got %s of %s, and was not told", reader.member, missing, reader.room));
            }
            String newest = log.newestEpoch;
            if (newest != null && log.isEarlier(last.epoch(), newest)) {
                broken(String.format("%s was not told that %s has another epoch", reader.member, reader.room));
            }
        }
    }

    /** Returns the messages of a log's newest epoch that no member got, oldest first. */
    public List<String> unreached(String room) {
        List<String> unreached = new ArrayList<>();
        Log log = log(room);
        if (log.newestEpoch != null) {
            for (Entry entry : log.epoch(log.newestEpoch).values()) {
                if (!entry.reached && entry.optionalFor != null) {
                    unreached.add(entry.message);
                }
            }
        }
        return unreached;
    }

    /** Records a broken promise that the test itself has found. */
    public void broken(String line) {
        broken.add(line);
        if (trace != null) {
            trace.accept("BROKEN: " + line);
        }
    }

    /** Returns the broken promises in the order in which they were found. */
    public List<String> broken() {
        return List.copyOf(broken);
    }

    /** Returns how many events were recorded: what the run has checked. */
    public long events() {
        return events;
    }

    /** Throws an {@link AssertionError} that lists the first broken promises; does nothing if there are none. */
    public void requireKept() {
        if (!broken.isEmpty()) {
            throw new AssertionError(broken.size() + " promises broken:\n  "
                    + String.join("\n  ", broken.subList(0, Math.min(10, broken.size()))));
        }
    }

    // ---------------------------------------------------------------- inside

    private void note(Supplier<String> line) {
        events++;
        if (trace != null) {
            trace.accept(line.get());
        }
    }

    private Sender sender(String client) {
        return senders.computeIfAbsent(client, Sender::new);
    }

    private Log log(String room) {
        return logs.computeIfAbsent(room, name -> new Log());
    }

    private Member member(String member, String room) {
        return members.computeIfAbsent(member + " in " + room, key -> new Member(member, room));
    }

    private static final class Sent {
        final String message;
        final int index;
        final Set<String> handledIn = new HashSet<>(2);
        boolean isSettled;
        boolean isGivenUp;

        @Nullable
        // The message that was handled before, while this one was neither handled nor given up.
        String overtakenBy;

        Sent(String message, int index) {
            this.message = message;
            this.index = index;
        }
    }

    private static final class Sender {
        final String client;
        final List<Sent> all = new ArrayList<>();
        final Map<String, Sent> byMessage = new HashMap<>();
        final Map<String, Integer> lastHandled = new HashMap<>();
        int firstOpen; // all before it are handled or given up

        Sender(String client) {
            this.client = client;
        }

        void sent(String message) {
            Sent sent = new Sent(message, all.size());
            if (byMessage.put(message, sent) != null) {
                throw new IllegalArgumentException(client + " sends " + message + " twice; name each message once");
            }
            all.add(sent);
        }

        Sent find(String message) {
            Sent sent = byMessage.get(message);
            if (sent == null) {
                throw new IllegalArgumentException(client + " never sent " + message);
            }
            return sent;
        }

        boolean isDone(int index) {
            Sent sent = all.get(index);
            return sent.isGivenUp || !sent.handledIn.isEmpty();
        }
    }

    private static final class Log {
        final Map<String, NavigableMap<Long, Entry>> epochs = new LinkedHashMap<>(); // in the order in which they began

        @Nullable
        String newestEpoch;

        NavigableMap<Long, Entry> epoch(String epoch) {
            return epochs.computeIfAbsent(epoch, name -> new TreeMap<>());
        }

        boolean isEarlier(String epoch, String than) {
            List<String> all = new ArrayList<>(epochs.keySet());
            return all.indexOf(epoch) < all.indexOf(than);
        }
    }

    private static final class Entry {
        final String message;
        final @Nullable Set<String> optionalFor; // null: for all members
        boolean reached;

        Entry(String message, @Nullable Set<String> optionalFor) {
            this.message = message;
            this.optionalFor = optionalFor;
        }

        boolean isOptionalFor(String member) {
            return optionalFor == null || optionalFor.contains(member);
        }

        @Override
        public String toString() {
            return message;
        }
    }

    private static final class Member {
        final String member;
        final String room;
        final Set<Position> toldDeleted = new HashSet<>();
        boolean isReading;

        @Nullable
        Position position;

        Member(String member, String room) {
            this.member = member;
            this.room = room;
        }

        void moveTo(@Nullable Position to) {
            isReading = true;
            position = to;
        }
    }
}
