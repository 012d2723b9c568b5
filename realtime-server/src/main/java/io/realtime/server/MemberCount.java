package io.realtime.server;

/**
 * How many members a room has at one moment.
 *
 * @param online sessions with a connection
 * @param sessions all sessions, those included that are kept without a connection
 */
public record MemberCount(int online, int sessions) {}
