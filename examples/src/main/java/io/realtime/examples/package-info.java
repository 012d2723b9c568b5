/** Runnable demos; {@link io.realtime.examples.Main} picks one. */
@NullMarked
package io.realtime.examples;

import org.jspecify.annotations.NullMarked;
