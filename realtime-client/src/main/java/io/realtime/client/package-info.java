/** The client that an application embeds. Begin with {@code RealtimeClient}. */
@NullMarked
package io.realtime.client;

import org.jspecify.annotations.NullMarked;
