/** The client's transport on Java-WebSocket 1.6.0, with what that version needs to be safe. Not for applications. */
@NullMarked
package io.realtime.client.javawebsocket;

import org.jspecify.annotations.NullMarked;
