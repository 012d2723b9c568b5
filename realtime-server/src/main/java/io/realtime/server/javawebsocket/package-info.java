/**
 * The embedded transport, on Java-WebSocket 1.6.0. The library gives the selector, the read buffers and the worker
 * threads; what one hostile or slow peer could break in it is replaced here, each time with the reason beside it:
 * accepting, the upgrade, the decoding of frames and everything outbound.
 *
 * <p>Threads: the <em>selector</em> accepts, reads and empties outbound queues that the socket did not take at once; a
 * <em>worker</em>, always the same for one connection, decodes and calls the listener; the <em>timer</em> ends
 * connections and calls {@code onDrained} and {@code onClosed}; a <em>sender</em> is whoever sends, and writes to the
 * socket itself when nobody else does. {@link io.realtime.server.javawebsocket.LibraryCallbacks} keeps the listener's calls
 * one at a time.
 */
@NullMarked
package io.realtime.server.javawebsocket;

import org.jspecify.annotations.NullMarked;
