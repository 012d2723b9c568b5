/**
 * The embedded transport, on Java-WebSocket 1.6.0. The library provides the selector, the read buffers and the worker
 * threads. What one hostile or slow peer could break is replaced: accepting and everything outbound by this package,
 * the upgrade and the frames by {@code io.realtime.server.websocket}. A comment at each place gives the reason.
 *
 * <p>Threads: the <em>selector</em> accepts, reads, and empties outbound queues that the socket did not accept at once.
 * A <em>worker</em>, always the same for one connection, decodes and calls the listener. The <em>timer</em> ends
 * connections and calls {@code onDrained} and {@code onClosed}. A <em>sender</em> is any thread that sends; it writes
 * to the socket itself if no other thread does. {@link io.realtime.server.internal.transport.LibraryCallbacks} makes the
 * listener's calls one at a time.
 */
@NullMarked
package io.realtime.server.internal.transport;

import org.jspecify.annotations.NullMarked;
