/** The types that server and client share: contracts, messages, the event bus, errors and close codes. */
@NullMarked
package io.realtime;

import org.jspecify.annotations.NullMarked;
