/** Requests and streams between the two sides of a session, the same for server and client. */
@NullMarked
package io.realtime.internal.calls;

import org.jspecify.annotations.NullMarked;
