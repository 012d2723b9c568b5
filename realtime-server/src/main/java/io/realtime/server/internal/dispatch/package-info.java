/**
 * The handling of messages: {@code Dispatcher} finds the handler, asks the rules, reads the payload, and answers. It
 * runs in the mailbox of the session's client, one message at a time.
 */
@NullMarked
package io.realtime.server.internal.dispatch;

import org.jspecify.annotations.NullMarked;
