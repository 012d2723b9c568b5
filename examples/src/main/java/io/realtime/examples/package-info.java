/** Runnable demos: a playground for any WebSocket client, a chat for people, the Java client in a terminal. */
@NullMarked
package io.realtime.examples;

import org.jspecify.annotations.NullMarked;
