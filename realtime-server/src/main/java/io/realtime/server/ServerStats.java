package io.realtime.server;

/**
 * What a server holds at one moment. Each number is exact; together they may be of slightly different moments.
 *
 * @param connections open connections, unauthenticated ones included
 * @param sessions sessions that are open, kept or about to end, bounded by {@link Limits#sessions}
 * @param users users with such a session
 * @param rooms rooms with members or a log, the inboxes among them
 * @param logBytes bytes of heap that all rooms, their members and their logs take, bounded by {@link Limits#logBytes}
 * @param clients client instances of which it is remembered what they sent
 * @param waiting messages that were received and whose handlers have not returned; at most {@link Limits#mailbox} for each
 *     client, and one that runs
 * @param handlersBusy handlers, listeners and callbacks that run now, or block
 * @param handlersWaiting sessions with a message, and callbacks, that wait for a thread
 * @param rejections tasks that an executor rejected, ever; they were started later
 */
public record ServerStats(
        int connections,
        int sessions,
        int users,
        int rooms,
        long logBytes,
        int clients,
        int waiting,
        int handlersBusy,
        int handlersWaiting,
        long rejections) {}
