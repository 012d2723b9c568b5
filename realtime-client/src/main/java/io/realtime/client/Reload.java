package io.realtime.client;

import io.realtime.Position;
import java.util.concurrent.CompletionStage;
import org.jspecify.annotations.Nullable;

/** Loads again what the application knows of a room, after messages of it were missed; see {@link ClientRoom#onReload}. */
@FunctionalInterface
public interface Reload {
    /**
     * Begins to load. Runs on the client's callback executor, so it must not block; the stage may complete on any
     * thread. One that has not completed after 1 minute has failed with {@code timeout}: what it completes with later is
     * ignored, and the hook runs again after a while.
     *
     * @param gap the room, and the place that what is loaded must reach at least
     * @return completes with the place up to which the loaded state holds the messages already, which are then not
     *     handed over; with null when all that follow the gap are wanted. When it fails, the hook runs again after a
     *     while
     */
    CompletionStage<@Nullable Position> reload(Gap gap);
}
