/** What an implementer of a transport or a scheduler provides. Applications rarely name these types. */
@NullMarked
package io.realtime.spi;

import org.jspecify.annotations.NullMarked;
