/** Payloads by Jackson, in the place of Gson. */
@NullMarked
package io.realtime.jackson;

import org.jspecify.annotations.NullMarked;
