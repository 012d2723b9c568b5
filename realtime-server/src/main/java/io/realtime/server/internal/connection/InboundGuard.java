package io.realtime.server.internal.connection;

import io.realtime.server.Limits;
import io.realtime.server.RateLimit;
import io.realtime.server.internal.limits.TokenBucket;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * How much one peer may do that is of no use: pings, malformed messages, repeats, and messages above its rate. {@link
 * #mayPing} may be called by any thread. The other methods are called with the peer's messages, one at a time.
 */
final class InboundGuard {
    /**
     * Limits pings and pongs, of the socket and of the protocol. It is far above any heartbeat; they are cheap to
     * answer.
     */
    static final RateLimit PINGS = RateLimit.perSecond(100).withBurst(200);

    private static final Duration BAD_MESSAGE_WINDOW = Duration.ofMinutes(1);

    private final Limits limits;
    private final TokenBucket pings;
    private int badMessages;
    private long badMessagesSince;
    private int duplicates;
    // For refused messages, by the limit that they exceed. Created on first use.
    private @Nullable Map<RateLimit, TokenBucket> patience;

    InboundGuard(Limits limits, long now) {
        this.limits = limits;
        this.pings = new TokenBucket(PINGS, now);
    }

    /** Returns whether a ping or a pong is within its limit. */
    boolean mayPing(long now) {
        return pings.take(now) == 0;
    }

    /** Returns whether one more malformed message is tolerated. */
    boolean mayBeBad(long now) {
        if (badMessages == 0 || now - badMessagesSince > BAD_MESSAGE_WINDOW.toNanos()) {
            badMessages = 0;
            badMessagesSince = now;
        }
        badMessages++;
        return badMessages < limits.badMessages();
    }

    /**
     * Returns whether one more repeat is tolerated. A client sends each number once per connection, and a mailbox holds
     * no more of them.
     */
    boolean mayRepeat() {
        duplicates++;
        return duplicates <= limits.mailbox();
    }

    /** Returns whether one more message above this rate may be refused, instead of closing the peer. */
    boolean mayExceed(RateLimit rate, long now) {
        if (patience == null) {
            patience = new HashMap<>();
        }
        return patience.computeIfAbsent(rate, key -> new TokenBucket(key, now)).take(now) == 0;
    }
}
