/** The server that an application embeds; {@code RealtimeServer} is the way in. */
@NullMarked
package io.realtime.server;

import org.jspecify.annotations.NullMarked;
