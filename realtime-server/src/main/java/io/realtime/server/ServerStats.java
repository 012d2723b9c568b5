package io.realtime.server;

/**
 * Counts of what a server holds at one moment. Each number is exact, but they may be of slightly different moments.
 *
 * @param connections open connections, unauthenticated ones included
 * @param sessions sessions that are open, that wait for their client, or that drain; bounded by {@link Limits#sessions}
 * @param users users with such a session
 * @param rooms rooms with members or a log, inboxes included
 * @param logBytes bytes of heap that all rooms, their members and their logs take; bounded by {@link Limits#logBytes}
 * @param clients client instances with a client record, which deduplicates their messages
 * @param waiting messages that were received and whose handlers have not returned; for each client at most {@link
 *     Limits#mailbox}, and one whose handler runs
 * @param handlersBusy handlers, listeners and callbacks that run now or block
 * @param handlersWaiting sessions with a message, and callbacks, that wait for a thread
 * @param rejections tasks that an executor has rejected since the server began; they were started later
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
