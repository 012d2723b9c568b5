package io.realtime.server;

import java.time.Instant;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Who a peer proved to be.
 *
 * @param user the user's id, not empty
 * @param attributes what a new session of this user begins with: a role, a tenant
 * @param expiresAt when the proof ends; the connection is then closed with 4300 unless the client refreshed it before.
 *     Null when it does not end
 */
public record Authentication(
        String user,
        Map<String, Object> attributes,
        @Nullable Instant expiresAt) {
    /**
     * A proof; the attributes are copied.
     *
     * @throws IllegalArgumentException when the user is empty
     */
    public Authentication {
        Objects.requireNonNull(user, "user");
        if (user.isEmpty()) {
            throw new IllegalArgumentException("user is empty");
        }
        attributes = Collections.unmodifiableMap(new HashMap<>(attributes));
    }

    /** A proof without attributes that does not end. */
    public static Authentication of(String user) {
        return new Authentication(user, Map.of(), null);
    }
}
