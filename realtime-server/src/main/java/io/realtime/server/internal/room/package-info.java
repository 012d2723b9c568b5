/**
 * Rooms as logs: {@code LocalBroker} finds them, {@code RoomChannel} publishes, replays and trims, {@code FanOut} hands
 * batches to the members' connections. Each room is guarded by its own lock. A room knows a session only as a {@code
 * Subscriber}.
 */
@NullMarked
package io.realtime.server.internal.room;

import org.jspecify.annotations.NullMarked;
