/**
 * Keeps the rooms that the application wants to be in, the position in the log of each, and the open requests about
 * them. The scheduler's thread owns all of it. Only the package {@code connection} calls it.
 */
@NullMarked
package io.realtime.client.internal.room;

import org.jspecify.annotations.NullMarked;
