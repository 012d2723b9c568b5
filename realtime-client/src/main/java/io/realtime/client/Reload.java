package io.realtime.client;

import io.realtime.Position;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/**
 * A hook that loads the application's state of a room again after messages were missed; see {@link
 * ClientRoom#onReload}.
 */
@FunctionalInterface
public interface Reload {
    /**
     * Begins to load. Runs on the client's callback executor, so it must not block. The stage may complete on any
     * thread. A stage that has not completed after 1 minute has failed with {@code timeout}: a later result is ignored,
     * and the hook runs again after a while.
     *
     * @param gap the room, and the position that the loaded state must reach at least
     * @return completes with the position up to which the loaded state already holds the messages, which are then not
     *     handed over; with null to get all messages after the gap. When it fails, the hook runs again after a while
     */
    CompletionStage<@Nullable Position> reload(Gap gap);
}
