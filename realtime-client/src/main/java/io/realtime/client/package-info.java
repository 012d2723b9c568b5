/** The client that an application embeds; {@code RealtimeClient} is the way in. */
@NullMarked
package io.realtime.client;

import org.jspecify.annotations.NullMarked;
