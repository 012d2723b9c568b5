/**
 * The chat's server: messages are stored through JDBC, and an outbox table publishes what was stored. {@link
 * io.realtime.examples.chat.ChatBackend} composes the parts.
 */
@NullMarked
package io.realtime.examples.chat;

import org.jspecify.annotations.NullMarked;
