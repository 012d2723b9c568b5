/** Internal classes that server and client share; not for applications, and subject to change. */
@NullMarked
package io.realtime.internal;

import org.jspecify.annotations.NullMarked;
