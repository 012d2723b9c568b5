package io.realtime.server;

import java.time.Instant;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Who a peer proved to be.
 *
 * @param user the user's id: 1 to 255 characters, no control characters
 * @param attributes what a new session of this user begins with: a role, a tenant
 * @param expiresAt when the proof ends; the connection is then closed with 4300 unless the client refreshed it before.
 *     Null when it does not end, which is also what becomes of a time after the year 9999
 */
public record Authentication(
        String user,
        Map<String, Object> attributes,
        @Nullable Instant expiresAt) {
    static final Instant LATEST = Instant.parse("9999-12-31T23:59:59Z");

    private static final int MAX_USER = 255; // as long as an OpenID Connect subject

    /**
     * A proof; the attributes are copied.
     *
     * @throws IllegalArgumentException when the user is empty, longer than 255 characters, or holds a control character,
     *     with which it could write lines of its own into a log; or when an attribute's name or value is null
     */
    public Authentication {
        String fault = fault(user);
        if (fault != null) {
            throw new IllegalArgumentException("user " + fault);
        }
        attributes = Collections.unmodifiableMap(new HashMap<>(attributes));
        attributes.forEach((name, value) -> {
            if (name == null || value == null) {
                throw new IllegalArgumentException("attribute '" + name + "' is null: leave it out");
            }
        });
        if (expiresAt != null) {
            expiresAt =
                    expiresAt.isAfter(LATEST) ? null : expiresAt.isBefore(Instant.EPOCH) ? Instant.EPOCH : expiresAt;
        }
    }

    /** A proof without attributes that does not end. */
    public static Authentication of(String user) {
        return new Authentication(user, Map.of(), null);
    }

    /** Returns what is wrong with a user's id, without showing it, or null. */
    static @Nullable String fault(String user) {
        if (user.isEmpty()) {
            return "is empty";
        }
        if (user.length() > MAX_USER) {
            return "is longer than " + MAX_USER + " characters";
        }
        return user.codePoints().anyMatch(Authentication::isControl) ? "holds a control character" : null;
    }

    /** Half a surrogate pair counts: on the wire one looks like the other. */
    private static boolean isControl(int c) {
        int type = Character.getType(c);
        return type == Character.CONTROL
                || type == Character.LINE_SEPARATOR
                || type == Character.PARAGRAPH_SEPARATOR
                || type == Character.SURROGATE;
    }

    /** Names no attributes: what an application keeps there is its own. */
    @Override
    public String toString() {
        return "Authentication{user=" + user + ", expiresAt=" + expiresAt + "}";
    }
}
