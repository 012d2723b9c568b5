/** What a server has counted since it began. Every other package of the server may count; this one knows none of them. */
@NullMarked
package io.realtime.server.internal.stats;

import org.jspecify.annotations.NullMarked;
