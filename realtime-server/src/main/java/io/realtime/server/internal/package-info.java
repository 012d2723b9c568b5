/**
 * The parts of a server, put together: {@code ServerCore} builds them from a {@code ServerConfig}. Nothing below this
 * package knows it.
 */
@NullMarked
package io.realtime.server.internal;

import org.jspecify.annotations.NullMarked;
