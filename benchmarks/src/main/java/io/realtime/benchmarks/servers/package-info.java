/** Servers of one process each that the load generator is pointed at: this library's, and bare transports. */
@NullMarked
package io.realtime.benchmarks.servers;

import org.jspecify.annotations.NullMarked;
