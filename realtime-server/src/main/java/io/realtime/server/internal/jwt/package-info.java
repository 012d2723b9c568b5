/** The verification of tokens. Only this package needs java-jwt, which applications may exclude. */
@NullMarked
package io.realtime.server.internal.jwt;

import org.jspecify.annotations.NullMarked;
