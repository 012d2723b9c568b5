package io.realtime.client;

import org.jspecify.annotations.Nullable;

/**
 * The server's answer to a join.
 *
 * @param recovered whether everything since the client's last position follows; false on a first join, and when messages
 *     were missed for good
 * @param reason why nothing was recovered, or null
 * @param members how many are in the room, this session included
 */
public record JoinResult(boolean recovered, @Nullable String reason, int members) {}
