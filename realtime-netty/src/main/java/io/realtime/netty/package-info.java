/**
 * The server's transport on Netty 4.2: many connections on few threads, native epoll on Linux, NIO elsewhere, and TLS.
 * It is used if this module is on the class path. On the module path the native library is a separate module, {@code
 * io.netty.transport.epoll.linux.x86_64} or {@code aarch_64}, which {@code --add-modules} must name; without it NIO is
 * used.
 *
 * <p>A connection is a {@code WebSocketConnection} of {@code io.realtime.server.websocket}, as with every transport. It
 * reads the upgrade and the frames itself, without Netty's HTTP and WebSocket codecs. So limits, refusals and close codes are the same on every transport, no
 * memory is reserved for a message that has not arrived, and tests with hostile input cover the one codec.
 *
 * <p>Threads: {@code realtime-netty-N}, one per core, since nothing on them blocks. One of them also accepts
 * connections. Each connection belongs to one thread for its whole life, which decodes, calls the listener, writes and
 * keeps its deadlines. Any thread may send: {@link io.realtime.netty.Outbound} queues the data under a lock, and wakes
 * the connection's thread once per burst to write.
 */
@NullMarked
package io.realtime.netty;

import org.jspecify.annotations.NullMarked;
