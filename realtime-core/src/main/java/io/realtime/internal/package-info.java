/** Machinery shared by server and client; not for applications, and free to change. */
@NullMarked
package io.realtime.internal;

import org.jspecify.annotations.NullMarked;
