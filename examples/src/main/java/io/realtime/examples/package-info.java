/**
 * Runnable demos: a playground for any WebSocket client, a chat for people, a model's words as they are written, the
 * Java client in a terminal.
 */
@NullMarked
package io.realtime.examples;

import org.jspecify.annotations.NullMarked;
