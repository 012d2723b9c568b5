/** The default codec, which maps payloads with Gson. */
@NullMarked
package io.realtime.gson;

import org.jspecify.annotations.NullMarked;
