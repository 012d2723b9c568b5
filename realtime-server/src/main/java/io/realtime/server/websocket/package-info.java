/**
 * Code that the transports share: admission, the upgrade and the decoding of frames (RFC 6455). So limits and refusals
 * are the same with every library. It is for transports, not for applications: the module exports it to {@code
 * realtime-netty} only.
 */
@NullMarked
package io.realtime.server.websocket;

import org.jspecify.annotations.NullMarked;
