/**
 * The load generator and what it compares. {@link io.realtime.benchmarks.load.Load} is the clients of one server,
 * {@link io.realtime.benchmarks.load.Dialect} is how they talk to it, and {@link
 * io.realtime.benchmarks.load.Comparison} contains the rounds and tables.
 */
@NullMarked
package io.realtime.benchmarks.load;

import org.jspecify.annotations.NullMarked;
