/**
 * The frames of WebSocket (RFC 6455 section 5), for the server, the client and the benchmarks: read and written in one
 * place. Without I/O and threads; not for applications, and subject to change.
 */
@NullMarked
package io.realtime.internal.websocket;

import org.jspecify.annotations.NullMarked;
