/** The same chat on several libraries, through connections that are cut. */
@NullMarked
package io.realtime.benchmarks.cuts;

import org.jspecify.annotations.NullMarked;
