/**
 * Makes the connection, keeps it alive and makes it again, and routes what arrives to the other packages. The
 * scheduler's thread owns all of it; other threads only post to it. {@link io.realtime.client.RealtimeClient} and the
 * transport call it.
 */
@NullMarked
package io.realtime.client.internal.connection;

import org.jspecify.annotations.NullMarked;
