/** A test kit: time that a test moves by hand, and a network in memory. */
@NullMarked
package io.realtime.testing;

import org.jspecify.annotations.NullMarked;
