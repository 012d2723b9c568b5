/** A test kit: time that a test advances by hand, and a network in memory. */
@NullMarked
package io.realtime.testing;

import org.jspecify.annotations.NullMarked;
