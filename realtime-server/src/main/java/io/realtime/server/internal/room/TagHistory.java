package io.realtime.server.internal.room;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The tags of a session, now and at earlier moments of the {@link TagClock}. The first tags count for all messages that
 * were sent before the session began. Immutable.
 */
public final class TagHistory {
    /** The most versions that are kept. The oldest of them counts for all earlier moments. */
    private static final int KEPT = 8;

    private final Map<String, String> tags;
    private final long since;
    private final @Nullable TagHistory before;

    private TagHistory(Map<String, String> tags, long since, @Nullable TagHistory before) {
        this.tags = tags;
        this.since = since;
        this.before = before;
    }

    /** Returns the history of a session that begins with these tags, an immutable map. */
    public static TagHistory of(Map<String, String> tags) {
        return new TagHistory(tags, 0, null);
    }

    /** Returns this history with these tags, an immutable map, from this moment on. */
    public TagHistory with(Map<String, String> changed, long moment) {
        return new TagHistory(changed, moment, newest(KEPT - 1));
    }

    private @Nullable TagHistory newest(int versions) {
        if (versions == 0) {
            return null;
        }
        return before == null ? this : new TagHistory(tags, since, before.newest(versions - 1));
    }

    /** Returns the current tags. */
    public Map<String, String> tags() {
        return tags;
    }

    /** Returns the tags at a moment. */
    Map<String, String> at(long moment) {
        return version(moment).tags;
    }

    /** Returns whether the tags at a moment are kept. Otherwise {@link #at} returns later ones. */
    boolean isKept(long moment) {
        return version(moment).since <= moment;
    }

    private TagHistory version(long moment) {
        TagHistory version = this;
        while (version.since > moment && version.before != null) {
            version = version.before;
        }
        return version;
    }
}
