/** Payloads by Gson: the default codec. */
@NullMarked
package io.realtime.gson;

import org.jspecify.annotations.NullMarked;
