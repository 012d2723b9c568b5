/** The envelope and the frames of protocol version 1; not for applications, and subject to change. */
@NullMarked
package io.realtime.internal.wire;

import org.jspecify.annotations.NullMarked;
