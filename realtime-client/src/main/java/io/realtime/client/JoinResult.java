package io.realtime.client;

import io.realtime.Position;
import org.jspecify.annotations.Nullable;

/**
 * The server's answer to a join.
 *
 * <p>What was loaded elsewhere is combined with what is delivered by position: every {@linkplain
 * io.realtime.Message#position message} names its place in the log. Load after the join has completed, so that what is
 * loaded reaches {@code position}; let the messages that arrive meanwhile wait; then drop of them those at or below the
 * place up to which the loaded state goes.
 *
 * @param position where delivery begins: the place just before the first message that follows
 * @param recovered whether everything since the client's last position follows; false on a first join, and when messages
 *     were missed for good
 * @param reason why nothing was recovered, as in {@link Gap}, or null
 * @param members how many are in the room, this session included
 */
public record JoinResult(
        Position position, boolean recovered, @Nullable String reason, int members) {}
