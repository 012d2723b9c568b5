/** Questions between the two sides of a session: requests and streams, the same for the server and the client. */
@NullMarked
package io.realtime.internal.calls;

import org.jspecify.annotations.NullMarked;
