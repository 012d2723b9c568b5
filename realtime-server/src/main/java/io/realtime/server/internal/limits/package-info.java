/** Bounds that users and addresses share fairly: token buckets, counts of late answers, the order of eviction, tags. */
@NullMarked
package io.realtime.server.internal.limits;

import org.jspecify.annotations.NullMarked;
