/** Measures what retention, idle sessions and resuming cost; {@link io.realtime.benchmarks.Main} runs it. */
@NullMarked
package io.realtime.benchmarks;

import org.jspecify.annotations.NullMarked;
