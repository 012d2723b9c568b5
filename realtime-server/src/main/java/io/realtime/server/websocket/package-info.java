/**
 * Code that the transports share: admission and the upgrade (RFC 6455 section 4). So limits and refusals are the same
 * with every library. Frames are read and written by {@code io.realtime.internal.websocket}. This package is for transports, not for applications: the module exports it to {@code
 * realtime-netty} only.
 */
@NullMarked
package io.realtime.server.websocket;

import org.jspecify.annotations.NullMarked;
