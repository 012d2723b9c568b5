package io.realtime.client;

import io.realtime.Position;
import org.jspecify.annotations.Nullable;

/**
 * The server's answer to a join.
 *
 * <p>Use positions to combine state that was loaded elsewhere with delivered messages: every {@linkplain
 * io.realtime.Message#position message} has its position in the log. Load after the join has completed, so that the
 * loaded state reaches {@code position}, and let the messages that arrive meanwhile wait. Then skip those at or below
 * the position up to which the loaded state goes.
 *
 * @param position where delivery begins: the position just before the first message that follows
 * @param recovered true if everything since the client's last position follows; false on a first join, and when
 *     messages were missed for good
 * @param reason why nothing was recovered, as in {@link Gap}, or null
 * @param members how many sessions are in the room, including this one
 */
public record JoinResult(
        Position position, boolean recovered, @Nullable String reason, int members) {}
