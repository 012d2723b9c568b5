/** Servers to compare with, as plain as their libraries allow; each is a process of its own that ends with its input. */
@NullMarked
package io.realtime.benchmarks.servers;

import org.jspecify.annotations.NullMarked;
