/**
 * Keeps the application's reliable messages until the server acknowledges them, in memory and in a file, and sends them.
 * Any thread adds messages under the outbox's lock. The scheduler's thread sends them, and the file's writer stores
 * them. The packages {@code call} and {@code connection} call it.
 */
@NullMarked
package io.realtime.client.internal.outbox;

import org.jspecify.annotations.NullMarked;
