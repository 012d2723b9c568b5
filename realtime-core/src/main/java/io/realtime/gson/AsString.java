package io.realtime.gson;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * An annotation for a {@code long} that {@link GsonCodec} writes as a string, because JavaScript rounds numbers beyond
 * 2^53. Both a string and a number are read. Applies to a field, or a record's component, of type {@code long} or
 * {@code Long}.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.FIELD)
public @interface AsString {}
