/**
 * Hands messages, outcomes and failures to the application, and bounds what waits for it. Its tasks run on the callback
 * executor, in order, one at a time; any thread may submit them. All other packages of the client call it, and it calls
 * only the application.
 */
@NullMarked
package io.realtime.client.internal.callback;

import org.jspecify.annotations.NullMarked;
