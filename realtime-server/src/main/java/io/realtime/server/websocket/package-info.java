/**
 * Code that the transports share: admission, the upgrade (RFC 6455 section 4), and a connection from its accept to its
 * end ({@link io.realtime.server.websocket.WebSocketConnection}). So limits, refusals and close codes are the same with
 * every library. Frames are read and written by {@code io.realtime.internal.websocket}. This package is for transports,
 * not for applications: the module exports it to {@code realtime-netty} only.
 */
@NullMarked
package io.realtime.server.websocket;

import org.jspecify.annotations.NullMarked;
