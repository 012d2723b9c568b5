/** Servers for the load generator, each in its own process: this library's, and bare transports. */
@NullMarked
package io.realtime.benchmarks.servers;

import org.jspecify.annotations.NullMarked;
