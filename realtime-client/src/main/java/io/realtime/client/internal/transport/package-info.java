/**
 * The client's transport on Java-WebSocket 1.6.0, with workarounds for that version's faults. Each connection has its
 * own reading and writing thread, which never run the application's code. The package {@code connection} calls it
 * through {@link io.realtime.spi.ClientTransport}.
 */
@NullMarked
package io.realtime.client.internal.transport;

import org.jspecify.annotations.NullMarked;
