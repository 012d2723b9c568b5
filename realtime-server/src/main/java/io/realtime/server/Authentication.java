package io.realtime.server;

import io.realtime.internal.Durations;
import io.realtime.internal.wire.Names;
import io.realtime.server.internal.limits.Tags;
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
 * @param tags the first tags of a new session of this user, for {@link Room#having}: see {@link Session#tags}; at most 16
 * @param expiresAt when the authentication expires; the connection is then closed with 4300, unless the client has
 *     refreshed its token before. Null when it does not expire; a time after the year 9999 becomes null
 */
public record Authentication(
        String user,
        Map<String, Object> attributes,
        Map<String, String> tags,
        @Nullable Instant expiresAt) {
    /**
     * Creates an authentication. The attributes and the tags are copied.
     *
     * @throws IllegalArgumentException when the user is empty, is longer than 255 characters, or contains a control
     *     character, which could add lines to a log; or when an attribute or a tag has a null name or value; or when a
     *     session cannot have the tags
     */
    public Authentication {
        String fault = Names.userFault(user);
        if (fault != null) {
            throw new IllegalArgumentException("user " + fault);
        }
        attributes = Collections.unmodifiableMap(new HashMap<>(attributes));
        requireNoNull("attribute", attributes);
        requireNoNull("tag", tags);
        tags = Tags.copyOf(tags);
        if (expiresAt != null) {
            expiresAt = expiresAt.isAfter(Durations.LATEST_EXPIRY)
                    ? null
                    : expiresAt.isBefore(Instant.EPOCH) ? Instant.EPOCH : expiresAt;
        }
    }

    private static void requireNoNull(String what, Map<String, ?> values) {
        values.forEach((name, value) -> {
            if (name == null || value == null) {
                throw new IllegalArgumentException(what + " '" + name + "' is null: leave it out");
            }
        });
    }

    /** Returns an authentication without attributes and tags that does not expire. */
    public static Authentication of(String user) {
        return new Authentication(user, Map.of(), Map.of(), null);
    }

    /** Returns a copy with this attribute. */
    public Authentication withAttribute(String name, Object value) {
        Map<String, Object> all = new HashMap<>(attributes);
        all.put(name, value);
        return new Authentication(user, all, tags, expiresAt);
    }

    /** Returns a copy with this tag. */
    public Authentication withTag(String name, String value) {
        return new Authentication(user, attributes, Tags.with(tags, name, value), expiresAt);
    }

    /** Returns a copy that expires then; null for never. */
    public Authentication withExpiry(@Nullable Instant end) {
        return new Authentication(user, attributes, tags, end);
    }

    /** Returns a text without the attributes, which may be confidential. */
    @Override
    public String toString() {
        return "Authentication{user=" + user + ", expiresAt=" + expiresAt + "}";
    }
}
