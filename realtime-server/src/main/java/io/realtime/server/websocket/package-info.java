/**
 * What transports share: who is let in, the upgrade and the decoding of frames (RFC 6455), so that limits and refusals are
 * the same whichever library carries the bytes. For transports, not for applications: the module exports it to
 * {@code realtime-netty} only.
 */
@NullMarked
package io.realtime.server.websocket;

import org.jspecify.annotations.NullMarked;
