/**
 * The server's transport on Netty 4.2: many connections on few threads, native epoll on Linux, NIO elsewhere, and TLS.
 * It is used when this module is on the class path. On the module path the native library is a module of its own,
 * {@code io.netty.transport.epoll.linux.x86_64} or {@code aarch_64}, to be named with {@code --add-modules}; without it NIO is used.
 *
 * <p>The upgrade and the frames are decoded by what all transports share ({@code io.realtime.server.websocket}), not by
 * Netty's HTTP and WebSocket codecs: the limits, the refusals and the close codes are then the same on every transport,
 * nothing is held of a message that has not arrived, and what is tested with hostile input is one decoder.
 *
 * <p>Threads: {@code realtime-netty-N}, one per core, since nothing on them blocks. One of them accepts too; each
 * connection belongs to one for its life, which decodes, calls the listener, writes and keeps its deadlines. Anyone may
 * send: {@link io.realtime.netty.Outbound} takes it under a lock, and asks the connection's thread once per burst to
 * write.
 */
@NullMarked
package io.realtime.netty;

import org.jspecify.annotations.NullMarked;
