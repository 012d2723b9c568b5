package io.realtime.examples.chat;

import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A room, or the conversation of two people, or of one with themselves.
 *
 * @param key its name in the database, which is the same for all its readers
 * @param people who takes part, sorted; empty for a room
 */
record Conversation(String key, List<String> people) {
    private static final Pattern ROOM = Pattern.compile("chat:[\\p{L}\\p{N}][\\p{L}\\p{N}_-]{0,39}");
    // No name contains it.
    private static final String SEPARATOR = "\n";

    /** Returns whether this is the name of a room that the chat has. */
    static boolean isRoom(@Nullable String name) {
        return name != null && ROOM.matcher(name).matches();
    }

    /**
     * Returns a room.
     *
     * @throws io.realtime.RealtimeException with {@code bad_data} if the name is none of a room
     */
    static Conversation room(@Nullable String name) {
        if (name == null || !isRoom(name)) {
            throw ChatError.badData("a room is chat: and up to 40 letters, digits, hyphens or underscores");
        }
        return new Conversation(name, List.of());
    }

    /**
     * Returns the conversation of two people.
     *
     * @throws io.realtime.RealtimeException with {@code bad_data} if the second is not the name of a user
     */
    static Conversation direct(String one, @Nullable String other) {
        String fault = UserName.fault(other);
        if (other == null || fault != null) {
            throw ChatError.badData("the receiver's name is not valid: " + fault);
        }
        List<String> people = Stream.of(one, other).distinct().sorted().toList();
        return new Conversation("@" + String.join(SEPARATOR, people), people);
    }

    /**
     * Returns the conversation that has this name for a reader.
     *
     * @throws io.realtime.RealtimeException with {@code bad_data} if there can be none
     */
    static Conversation named(@Nullable String name, String reader) {
        return name != null && name.startsWith("@") ? direct(reader, name.substring(1)) : room(name);
    }

    /** Returns the conversation with this key. */
    static Conversation ofKey(String key) {
        List<String> people = key.startsWith("@") ? List.of(key.substring(1).split(SEPARATOR)) : List.of();
        return new Conversation(key, people);
    }

    /** Returns its name for one of its readers: the room, or {@code @} and the other person. */
    String nameFor(String reader) {
        if (people.isEmpty()) {
            return key;
        }
        return "@"
                + people.stream()
                        .filter(person -> !person.equals(reader))
                        .findFirst()
                        .orElse(reader);
    }
}
