package io.realtime.server;

import java.time.Instant;
import java.util.Map;

/**
 * A member of a room at one moment, as others see it.
 *
 * @param sessionId the public id of its session, for {@link Room#only} and {@link Room#except}
 * @param userId the id of its user
 * @param tags the tags of its session; see {@link Session#tags}
 * @param connected whether its session has a connection. A session without one is kept for its time to live
 * @param since when the session became a member, by the server's clock. It remains when the client resumes
 */
public record Member(String sessionId, String userId, Map<String, String> tags, boolean connected, Instant since) {
    /** Creates a member; applications call this in their tests. The tags are copied. */
    public Member {
        tags = Map.copyOf(tags);
    }
}
