/**
 * Where work runs: the threads ({@code Workers}, {@code Pool}), the queue of one client's messages ({@code Mailbox}),
 * and what is delayed to be done together ({@code Bursts}, {@code Delayed}).
 */
@NullMarked
package io.realtime.server.internal.execution;

import org.jspecify.annotations.NullMarked;
