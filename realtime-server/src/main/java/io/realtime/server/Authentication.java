package io.realtime.server;

import io.realtime.internal.Durations;
import io.realtime.internal.wire.Names;
import java.time.Instant;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The identity of an authenticated peer.
 *
 * @param user the user's id: 1 to 255 characters, no control characters
 * @param attributes the first attributes of a new session of this user, for example a role or a tenant
 * @param expiresAt when the authentication expires; the connection is then closed with 4300, unless the client has
 *     refreshed its token before. Null when it does not expire; a time after the year 9999 becomes null
 */
public record Authentication(
        String user,
        Map<String, Object> attributes,
        @Nullable Instant expiresAt) {
    /**
     * Creates an authentication. The attributes are copied.
     *
     * @throws IllegalArgumentException when the user is empty, is longer than 255 characters, or contains a control
     *     character, which could add lines to a log; or when an attribute's name or value is null
     */
    public Authentication {
        String fault = Names.userFault(user);
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
            expiresAt = expiresAt.isAfter(Durations.LATEST_EXPIRY)
                    ? null
                    : expiresAt.isBefore(Instant.EPOCH) ? Instant.EPOCH : expiresAt;
        }
    }

    /** Returns an authentication without attributes that does not expire. */
    public static Authentication of(String user) {
        return new Authentication(user, Map.of(), null);
    }

    /** Returns a text without the attributes, which may be confidential. */
    @Override
    public String toString() {
        return "Authentication{user=" + user + ", expiresAt=" + expiresAt + "}";
    }
}
