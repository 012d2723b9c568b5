package io.realtime.server;

import io.realtime.Position;

/**
 * What {@link ConnectionManager#rooms} and {@link Admin#room} say of a room at one moment.
 *
 * @param name the room's name
 * @param members how many sessions are in it, those included that are kept without a connection
 * @param messages how many places its log keeps: messages, deleted ones, and the notices of their deletion
 * @param bytes how many bytes of heap they take
 * @param end the position of the newest message that was ever published to it
 */
public record RoomSummary(String name, int members, int messages, long bytes, Position end) {}
