package io.realtime.client;

import java.time.Instant;
import java.util.Collections;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * A session in a room at one moment, as the server shows it to the other members.
 *
 * @param sessionId the public id of the session
 * @param userId the id of its user, who may have several sessions in the room
 * @param tags what the server's application says of the session
 * @param state what the session's client says of itself in this room; null for nothing. See {@link
 *     ClientRoom#setState}
 * @param connected false while the session is away: its connection is lost and it may come back
 * @param since when it became a member, by the server's clock
 */
public record RoomMember(
        String sessionId,
        String userId,
        Map<String, String> tags,
        @Nullable String state,
        boolean connected,
        Instant since) {
    /** Creates a member; applications call this in their tests. The tags are copied. */
    public RoomMember {
        tags = Collections.unmodifiableMap(new HashMap<>(tags));
    }
}
