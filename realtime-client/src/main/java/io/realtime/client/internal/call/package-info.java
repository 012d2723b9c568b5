/**
 * Sends requests and streams to the server and answers those of the server, through the outbox. The scheduler's thread
 * owns the table of open calls; handlers run on the callback executor, and producers on threads of their own. The
 * package {@code connection} and {@link io.realtime.client.RealtimeClient} call it.
 */
@NullMarked
package io.realtime.client.internal.call;

import org.jspecify.annotations.NullMarked;
