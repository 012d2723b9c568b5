/** The client's transport on Java-WebSocket 1.6.0, with workarounds for that version's faults. Not for applications. */
@NullMarked
package io.realtime.client.javawebsocket;

import org.jspecify.annotations.NullMarked;
