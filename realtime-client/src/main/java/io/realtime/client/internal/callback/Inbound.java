package io.realtime.client.internal.callback;

import io.realtime.internal.wire.Envelope;
import org.jspecify.annotations.Nullable;

/**
 * A message on its way to the handlers.
 *
 * @param epoch the epoch of the log that its offset belongs to, or null
 * @param now the client's clock when it arrived, for a message without a time of its own
 */
public record Inbound(Envelope envelope, @Nullable String epoch, long now) {}
