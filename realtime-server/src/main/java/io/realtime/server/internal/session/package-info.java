/**
 * What outlives a connection: {@code ServerSession} with its rooms and acknowledgements, the record of its client, and
 * the {@code SessionTable} that finds them. Each session is guarded by its own lock. A session knows its connection
 * only as a {@code SessionConnection}.
 */
@NullMarked
package io.realtime.server.internal.session;

import org.jspecify.annotations.NullMarked;
