/** The types that a transport, a codec or a scheduler implements. Applications rarely use them. */
@NullMarked
package io.realtime.spi;

import org.jspecify.annotations.NullMarked;
